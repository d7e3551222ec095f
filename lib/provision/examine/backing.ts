import type { LogicalUnitConfig } from "../../config/config.ts";
import { formatSize } from "../../config/size.ts";
import { isOfDisk, type RecordedIdentity } from "../identity/recorded_identity.ts";
import type { Place } from "../survey.ts";

/** The file or device at a logical unit's path, as far as it can be used. */
export type Backing =
  /** There is no file yet, but one can be created. */
  | { readonly state: "missing"; readonly isLost?: true }
  /** A file that is too small, but can grow. */
  | {
    readonly state: "short";
    readonly fileBytes: number;
    readonly allocatedBytes: number;
    readonly isLost?: true;
  }
  /** A file of the right size. */
  | { readonly state: "ready"; readonly allocatedBytes: number }
  /** A block device that is large enough. */
  | { readonly state: "device"; readonly deviceBytes: number };

/** The reason why a path cannot be used as a disk. */
export interface Refusal {
  readonly problem: string;
  /** The result of `--force`; absent when the problem cannot be overridden. */
  readonly forced?: { readonly backing: Backing; readonly consequence: string };
  /** The path does not lead to the disk that the conf means. */
  readonly isMistaken?: true;
}

/** A logical unit to examine, with everything that its examination depends on. */
export interface Candidate {
  readonly unit: LogicalUnitConfig;
  readonly blockSizeBytes: number;
  /** Its target is write-protected. */
  readonly readOnly: boolean;
  /** The identity recorded for it; "unknown" when the records cannot be read. */
  readonly recorded: RecordedIdentity | "unknown" | undefined;
  readonly place: Place;
  readonly storage: Place;
}

/** Reports whether a backing replaces a lost disk. It gets a new identity, because the data of the old one is gone. */
export function isReplacement(backing: Backing): boolean {
  return "isLost" in backing && backing.isLost === true;
}

/** Reports whether the record shows that a logical unit is not a disk yet; false when the records cannot be read. */
export function isUnrecorded(recorded: Candidate["recorded"]): boolean {
  return recorded !== "unknown" && !isOfDisk(recorded);
}

/** Formats a size for people, with the exact number of bytes: sizes that differ by a block must look different. */
export function exactSize(bytes: number): string {
  const [size, exact] = [formatSize(bytes), `${bytes} bytes`];
  return size === exact ? size : `${size} (${exact})`;
}
