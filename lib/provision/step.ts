import type { Identities } from "./identity/identities.ts";

/** A step of a build; some need no change. Paths are absolute and sizes are in bytes. */
export type Step =
  /** Make a folder, with its missing parents. */
  | { readonly kind: "createFolder"; readonly path: string; readonly mode: number }
  /** Restrict the state folder to its owner. */
  | { readonly kind: "restrictFolder"; readonly path: string; readonly mode: number }
  /** Replace the identities file, with new identities added. */
  | {
    readonly kind: "recordIdentities";
    readonly path: string;
    /** All identities, including those recorded before. */
    readonly identities: Identities;
    /** The backing paths whose identities are new. */
    readonly added: readonly string[];
  }
  /** Replace the identities file, with files marked as created that are on stable storage. */
  | {
    readonly kind: "confirmFiles";
    readonly path: string;
    readonly identities: Identities;
    /** The backing paths of these files. */
    readonly files: readonly string[];
  }
  | { readonly kind: "createFile"; readonly path: string; readonly sizeBytes: number }
  | {
    readonly kind: "growFile";
    readonly path: string;
    readonly fromBytes: number;
    readonly sizeBytes: number;
    readonly allocatedBytes: number;
  }
  /** No change: the file matches the conf. */
  | {
    readonly kind: "keepFile";
    readonly path: string;
    readonly sizeBytes: number;
    readonly allocatedBytes: number;
    /** It has been taken over: its identity is new. */
    readonly isNew?: true;
  }
  /** No change: a block device is used as it is. */
  | {
    readonly kind: "useDevice";
    readonly path: string;
    readonly sizeBytes: number;
    readonly deviceBytes: number;
    /** It has been taken over: its identity is new. */
    readonly isNew?: true;
  }
  /** No change: the conf no longer uses the file, but the file and its identity are kept. */
  | {
    readonly kind: "keepUnusedFile";
    readonly path: string;
    readonly sizeBytes: number;
    readonly allocatedBytes: number;
  };

const IDLE_KINDS: readonly Step["kind"][] = ["keepFile", "useDevice", "keepUnusedFile"];

/** Reports whether a step changes the disk. */
export function isChange(step: Step): boolean {
  return !IDLE_KINDS.includes(step.kind);
}
