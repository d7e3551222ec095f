import type { ServedSnapshot } from "./unit_problem.ts";

/** What a running server says of itself. */
export interface ServerStatus {
  /** Of the program that serves. */
  readonly version: string;
  readonly pid: number;
  readonly uptimeSeconds: number;
  /** When this was so, by a clock that never goes back: what happened between two of them took their difference. */
  readonly monotonicMs: number;
  readonly storage: string;
  /** Where it listens, `address:port`. */
  readonly portals: readonly string[];
  readonly space: SpaceReport;
  /** Null while no target worker runs, which is for a moment after a crash. */
  readonly node: ServedSnapshot | null;
}

/** What backing files take of their file systems, and how fast that grows: plain data. */
export interface SpaceReport {
  readonly files: readonly FileSpace[];
  readonly fileSystems: readonly FileSystemSpace[];
}

/** A backing file. */
export interface FileSpace {
  readonly path: string;
  /** Null for a block device, and for a file that cannot be looked at. */
  readonly allocatedBytes: number | null;
  /** Less than zero when it gives space back; null while it is not known yet. */
  readonly growthBytesPerDay: number | null;
}

/** A file system in which backing files lie. */
export interface FileSystemSpace {
  /** The storage folder if that lies in it, else the first of the backing files that do. */
  readonly path: string;
  readonly totalBytes: number;
  /** What is left for who is not root. */
  readonly availableBytes: number;
  /** Of all backing files in it together; null while that of one of them is not known yet. */
  readonly growthBytesPerDay: number | null;
  /** When nothing will be available at this rate; null when that is not known, or never. */
  readonly fullInDays: number | null;
}
