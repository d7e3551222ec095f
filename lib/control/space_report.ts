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
