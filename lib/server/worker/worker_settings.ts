import type { InterfaceAddress } from "../../access/interfaces.ts";
import type { Portal } from "../../access/portals.ts";
import type { Config } from "../../config/config.ts";
import type { Identity } from "../../scsi/identity.ts";

/** The settings of a worker. */
export interface WorkerSettings {
  /** The whole conf. */
  readonly config: Config;
  /** The port whose targets the worker serves. */
  readonly port: number;
  /** The folder of the worker's state. */
  readonly place: string;
  /** Identities by the path of the backing file. */
  readonly identities: ReadonlyMap<string, Identity>;
  /** The link to open for a backing file or device, by its path. */
  readonly backingLinks: ReadonlyMap<string, string>;
  /** The memory that all workers of the server share, and the number of this one. */
  readonly totals: { readonly memory: SharedArrayBuffer; readonly slot: number };
  /** Receives the number of the file that the worker is about to use on its event loop: `FileActivity.mark`. */
  readonly mark: SharedArrayBuffer;
  readonly interfaces: readonly InterfaceAddress[];
  readonly portals: readonly Portal[];
  /** True if a portal that cannot be listened at is only reported, instead of failing the change. */
  readonly mayMissPortals: boolean;
  /** Reasons for which some logical units cannot be opened, by the paths of their backing files. */
  readonly unavailable: ReadonlyMap<string, string>;
  /** Reasons for which backings must not be opened yet, by path. */
  readonly arriving: ReadonlyMap<string, string>;
  /** Block devices that are open and gone, or others now. */
  readonly lost: ReadonlySet<string>;
  /** The backing files that support holes. */
  readonly sparsePaths: readonly string[];
}
