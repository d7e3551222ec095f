import type { ByteRange } from "./byte_range.ts";
import type { Extent } from "./space_map.ts";

/**
 * Where a logical unit's bytes live.
 *
 * Reading and writing come in two forms. The `...Now` form completes at once, in the caller's buffer, and is what
 * makes the data path fast; a store that would have to wait returns false from it, having touched nothing, and the
 * caller takes the other form, which completes later. A caller must use both; a store may offer only the latter.
 *
 * Offsets and lengths are in bytes and lie within `sizeBytes`: whoever calls has checked that. Nothing here knows
 * of logical units, block sizes or the network.
 */
export interface BlockStore {
  /** It never becomes smaller. */
  readonly sizeBytes: number;
  /** Opened for reading only: the write forms throw a `StoreError` of kind `readOnly`. */
  readonly readOnly: boolean;
  /** Whether `unmap` gives space back to where it came from. */
  readonly canUnmap: boolean;

  /**
   * Fills `into` with the bytes from `offset` and returns true, or returns false at once: then use `read`.
   *
   * @throws {StoreError} when the medium fails; `into` may be partly filled
   */
  readNow(offset: number, into: Uint8Array): boolean;

  /**
   * Fills `into` with the bytes from `offset`. `into` belongs to the store until the promise settles.
   *
   * @throws {StoreError} (rejects) when the medium fails
   */
  read(offset: number, into: Uint8Array): Promise<void>;

  /**
   * Writes all of `from` at `offset` and returns true, or returns false at once: then use `write`.
   *
   * @throws {StoreError} when the medium fails or has no space; a prefix of `from` may have been written
   */
  writeNow(offset: number, from: Uint8Array): boolean;

  /**
   * Writes all of `from` at `offset`. `from` belongs to the store until the promise settles.
   *
   * @throws {StoreError} (rejects) when the medium fails or has no space
   */
  write(offset: number, from: Uint8Array): Promise<void>;

  /**
   * Resolves when every write that completed before the call is on stable storage.
   *
   * @throws {StoreError} (rejects) when that cannot be promised
   */
  flush(): Promise<void>;

  /**
   * Makes bytes zero. Their space goes back, if it can (`canUnmap`); else zeros are written where something else is, so
   * that no space is ever taken for it. When the promise resolves, all of them read as zeros; a write that begins after
   * that is never undone.
   *
   * @throws {StoreError} (rejects) when the medium fails; some of the bytes may be zero then
   */
  unmap(ranges: readonly ByteRange[]): Promise<void>;

  /** Whether the bytes at and behind `offset` take space. */
  extentAt(offset: number): Extent;

  /** Releases the medium. Nothing may be under way and nothing may follow. */
  close(): void;
}

/** What went wrong with a medium, in the only distinctions that a caller can act on. */
export type StoreErrorKind = "readFailed" | "writeFailed" | "flushFailed" | "outOfSpace" | "readOnly";

/** A medium's failure. */
export class StoreError extends Error {
  override readonly name = "StoreError";
  readonly kind: StoreErrorKind;

  constructor(kind: StoreErrorKind, message: string, options?: ErrorOptions) {
    super(message, options);
    this.kind = kind;
  }
}
