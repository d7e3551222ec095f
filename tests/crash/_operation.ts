/** The changes that a program makes to a folder, as system calls. Paths are relative to that folder. */

/** A change. A handle is what an open returned; each has a number of its own. */
export type Change =
  | {
    readonly kind: "open";
    readonly handle: number;
    readonly path: string;
    readonly creates: boolean;
    readonly truncates: boolean;
  }
  | { readonly kind: "write"; readonly handle: number; readonly offset: number; readonly bytes: Uint8Array }
  | { readonly kind: "resize"; readonly handle: number; readonly sizeBytes: number }
  /** Bytes become a hole; the size stays. */
  | {
    readonly kind: "punch";
    readonly handle: number;
    readonly offset: number;
    readonly lengthBytes: number;
  }
  /** `fsync` or `fdatasync`, of a file or of a folder. */
  | { readonly kind: "sync"; readonly handle: number }
  | { readonly kind: "syncAll" }
  | { readonly kind: "makeFolder"; readonly path: string }
  | { readonly kind: "makeLink"; readonly path: string; readonly target: string }
  | { readonly kind: "addName"; readonly from: string; readonly path: string }
  | { readonly kind: "rename"; readonly from: string; readonly path: string }
  | { readonly kind: "remove"; readonly path: string };

/** Something that took place: it began, and later it was done. Times count everything that is recorded. */
export interface Operation {
  readonly start: number;
  readonly end: number;
  readonly change: Change;
}

/** Everything that was recorded of a program: what it did, and what it or its clients knew at which time. */
export interface Recording<Note> {
  readonly operations: readonly Operation[];
  readonly notes: readonly { readonly time: number; readonly note: Note }[];
  /** The time after the last of them. */
  readonly end: number;
}

/** Returns an operation in a few words. */
export function describeChange(change: Change): string {
  switch (change.kind) {
    case "open":
      return `open "${change.path || "."}"${change.creates ? ", create" : ""}${
        change.truncates ? ", truncate" : ""
      }`;
    case "write":
      return `write ${change.bytes.length} bytes at ${change.offset} of handle ${change.handle}`;
    case "resize":
      return `resize handle ${change.handle} to ${change.sizeBytes}`;
    case "punch":
      return `punch ${change.lengthBytes} bytes at ${change.offset} of handle ${change.handle}`;
    case "sync":
      return `sync handle ${change.handle}`;
    case "syncAll":
      return "sync";
    case "makeLink":
      return `link "${change.path}" to "${change.target}"`;
    case "rename":
    case "addName":
      return `${change.kind} "${change.from}" to "${change.path}"`;
    case "makeFolder":
    case "remove":
      return `${change.kind} "${change.path}"`;
  }
}
