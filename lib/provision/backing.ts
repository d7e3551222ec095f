import type { LogicalUnitConfig } from "../config/config.ts";
import { formatSize } from "../config/size.ts";
import type { RecordedIdentity } from "./recorded_identity.ts";
import type { Place } from "./survey.ts";

/** What a logical unit's path is good for. */
export type Backing =
  /** Nothing is there yet, and a file can be created. */
  | { readonly state: "missing"; readonly isLost?: true }
  /** A file that is too small, and can grow. */
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

/** Why a path is not taken for a disk, and what it is good for if the user insists. */
export interface Refusal {
  readonly problem: string;
  /** What `--force` makes of it; absent when nothing does. */
  readonly forced?: { readonly backing: Backing; readonly consequence: string };
  /** The path does not lead to the disk that the conf means. */
  readonly isMistaken?: true;
}

/** A logical unit's path, and what matters to it. */
export interface Candidate {
  readonly unit: LogicalUnitConfig;
  readonly blockSizeBytes: number;
  /** Whether its target is write-protected. */
  readonly readOnly: boolean;
  /** The identity recorded for it; "unknown" when the records cannot be read. */
  readonly recorded: RecordedIdentity | "unknown" | undefined;
  readonly place: Place;
  readonly storage: Place;
}

/**
 * Whether a backing takes the place of a disk that was lost: a disk without data never has the identity of one with.
 */
export function isReplacement(backing: Backing): boolean {
  return "isLost" in backing && backing.isLost === true;
}

/** Formats a size for people, and to the byte: sizes that differ by a block must not look the same. */
export function exactSize(bytes: number): string {
  const [size, exact] = [formatSize(bytes), `${bytes} bytes`];
  return size === exact ? size : `${size} (${exact})`;
}
