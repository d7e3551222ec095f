import type { Identities } from "./identities.ts";

/** One thing that provisioning does, or finds done. Paths are absolute and sizes in bytes. */
export type Step =
  /** Make a folder, with the parents that it lacks. */
  | { readonly kind: "createFolder"; readonly path: string; readonly mode: number }
  /** Take the state folder from everybody but its owner. */
  | { readonly kind: "restrictFolder"; readonly path: string; readonly mode: number }
  /** Write the identities file anew, with more identities than before. */
  | {
    readonly kind: "recordIdentities";
    readonly path: string;
    /** All, including those recorded before. */
    readonly identities: Identities;
    /** The backing paths whose identities are new. */
    readonly added: readonly string[];
  }
  /** Write the identities file again, since files that bear identities are on stable storage. */
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
  /** Nothing to do: the file is as the conf says. */
  | {
    readonly kind: "keepFile";
    readonly path: string;
    readonly sizeBytes: number;
    readonly allocatedBytes: number;
  }
  /** Nothing to do: a block device is used as it is. */
  | {
    readonly kind: "useDevice";
    readonly path: string;
    readonly sizeBytes: number;
    readonly deviceBytes: number;
  }
  /** Nothing to do: the conf has no use for the file any more, but it is kept, and its identity with it. */
  | {
    readonly kind: "keepUnusedFile";
    readonly path: string;
    readonly sizeBytes: number;
    readonly allocatedBytes: number;
  };

const IDLE_KINDS: readonly Step["kind"][] = ["keepFile", "useDevice", "keepUnusedFile"];

/** Whether a step changes anything. */
export function isChange(step: Step): boolean {
  return !IDLE_KINDS.includes(step.kind);
}
