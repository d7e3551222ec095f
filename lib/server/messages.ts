/** What supervisor and target worker say to each other: plain data, posted as it is. */
import type { InterfaceAddress } from "../access/interfaces.ts";
import type { Portal } from "../access/portals.ts";
import type { Config } from "../config/config.ts";
import type { Identity } from "../scsi/identity.ts";

/** What a worker is to do. */
export type ToWorker =
  | {
    readonly kind: "start";
    readonly config: Config;
    /** By the path of its backing file. */
    readonly identities: ReadonlyMap<string, Identity>;
    /** What to open in place of a block device, by its path. */
    readonly deviceNodes: ReadonlyMap<string, string>;
    readonly interfaces: readonly InterfaceAddress[];
    readonly portals: readonly Portal[];
  }
  | { readonly kind: "stop" };

/** What a worker has done. */
export type FromWorker =
  | { readonly kind: "log"; readonly level: "info" | "warning"; readonly message: string }
  | { readonly kind: "listening"; readonly address: string; readonly port: number }
  | { readonly kind: "ready" }
  /** It cannot serve; the reason is for the user. */
  | { readonly kind: "failed"; readonly message: string }
  /** Everything that was written is on stable storage, and every connection is closed. */
  | { readonly kind: "stopped" };
