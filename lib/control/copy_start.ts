import { isRecord } from "../base/is_record.ts";
import { ControlError } from "./control_error.ts";

/** The message of the server that a copy can be made. */
export type CopyStart =
  /** All operations on the LUN are held for some seconds. */
  | { readonly kind: "held"; readonly copy: number }
  /** The content of the LUN is preserved. */
  | {
    readonly kind: "preserved";
    /** The number of the copy. */
    readonly copy: number;
    /** The path at which the disk can be read. */
    readonly source: string;
    /** The file with the old blocks that were changed since: the temporary file, if the server can write it. */
    readonly keep: string;
    /** The map, a byte for each chunk. */
    readonly map: string;
  };

/** Returns the start of a copy as a message of progress. */
export function encodeCopyStart(start: CopyStart): string {
  return JSON.stringify(start);
}

/**
 * Decodes the start of a copy.
 *
 * @throws {ControlError}
 */
export function decodeCopyStart(message: string): CopyStart {
  const value = parse(message);
  const { kind, copy, source, keep, map } = isRecord(value) ? value : {};
  if (kind === "held" && typeof copy === "number") return { kind, copy };
  const isValid = kind === "preserved" && typeof copy === "number" && typeof source === "string" &&
    typeof keep === "string" && typeof map === "string";
  if (!isValid) throw new ControlError("broken", "Start of a copy is invalid");
  return { kind, copy, source, keep, map };
}

function parse(message: string): unknown {
  try {
    return JSON.parse(message);
  } catch {
    return undefined;
  }
}
