import type { InterfaceAddress } from "../access/interfaces.ts";
import type { Portal } from "../access/portals.ts";
import type { Config } from "../config/config.ts";
import type { Identity } from "../scsi/identity.ts";

/** What a worker serves, and what it needs for that. */
export interface WorkerSettings {
  readonly config: Config;
  /** By the path of its backing file. */
  readonly identities: ReadonlyMap<string, Identity>;
  /** What to open in place of a backing file or device, by its path. */
  readonly backingLinks: ReadonlyMap<string, string>;
  readonly interfaces: readonly InterfaceAddress[];
  readonly portals: readonly Portal[];
  /** A portal at which it cannot listen costs the others nothing; else nothing is served then, or changed. */
  readonly mayMissPortals: boolean;
  /** Why some logical units cannot be opened, by the paths of their backing files. */
  readonly unavailable: ReadonlyMap<string, string>;
  /** The backing files in which holes can be made. */
  readonly sparsePaths: readonly string[];
}
