import type { InterfaceAddress } from "../access/interfaces.ts";
import type { Portal } from "../access/portals.ts";
import type { Config } from "../config/config.ts";
import type { Identity } from "../scsi/identity.ts";

/** The settings of a worker. */
export interface WorkerSettings {
  readonly config: Config;
  /** Identities by the path of the backing file. */
  readonly identities: ReadonlyMap<string, Identity>;
  /** The link to open for a backing file or device, by its path. */
  readonly backingLinks: ReadonlyMap<string, string>;
  readonly interfaces: readonly InterfaceAddress[];
  readonly portals: readonly Portal[];
  /** True if a portal that cannot be listened at is only reported, instead of failing the change. */
  readonly mayMissPortals: boolean;
  /** Reasons for which some logical units cannot be opened, by the paths of their backing files. */
  readonly unavailable: ReadonlyMap<string, string>;
  /** The backing files that support holes. */
  readonly sparsePaths: readonly string[];
}
