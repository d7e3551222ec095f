import type { ByteRange } from "./byte_range.ts";
import type { Extent } from "./space_map.ts";

/**
 * The bytes of a logical unit.
 *
 * Reads and writes have two forms. The `...Now` form completes at once, in the buffer of the caller, and makes the data
 * path fast. A store that would have to wait returns false from it, having changed nothing, and the caller uses the
 * other form, which completes later. A caller must support both; a store may complete the latter only.
 *
 * Offsets and lengths are in bytes and lie within `sizeBytes`, which the caller has checked. A store knows neither
 * logical units nor block sizes nor the network.
 */
export interface BlockStore {
  /** It never decreases. */
  readonly sizeBytes: number;
  /** The store is read-only: the write forms throw a `StoreError` of kind `readOnly`. */
  readonly readOnly: boolean;
  /** `unmap` deallocates space. */
  readonly canUnmap: boolean;
  /** The number of times that unmapped bytes kept their space because a hole was refused; undefined for none. */
  readonly refusedHoles?: number | undefined;

  /**
   * Fills `into` with the bytes from `offset` and returns true, or returns false at once: the caller uses `read` then.
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
   * Writes all of `from` at `offset` and returns true, or returns false at once: the caller uses `write` then.
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
   * @throws {StoreError} (rejects) when that cannot be guaranteed
   */
  flush(): Promise<void>;

  /**
   * Zeroes bytes. It deallocates their space if the store can (`canUnmap`). Otherwise it writes zeros, and only over
   * other bytes, so it never allocates space. When the promise resolves, all of the bytes read as zeros; a write that
   * begins later is never undone.
   *
   * @throws {StoreError} (rejects) when the medium fails; some of the bytes may be zero then
   */
  unmap(ranges: readonly ByteRange[]): Promise<void>;

  /** Returns whether the bytes from `offset` on are mapped, and where that ends. */
  extentAt(offset: number): Extent;

  /** Closes the medium. Nothing may be under way, and nothing may follow. */
  close(): void;
}

/** The direction of a transfer, seen from the initiator. */
export type Direction = "read" | "write";

/** The kinds of medium failures that a caller distinguishes. */
export type StoreErrorKind = "readFailed" | "writeFailed" | "flushFailed" | "outOfSpace" | "readOnly";

/** A failure of a medium. */
export class StoreError extends Error {
  override readonly name = "StoreError";
  readonly kind: StoreErrorKind;

  constructor(kind: StoreErrorKind, message: string, options?: ErrorOptions) {
    super(message, options);
    this.kind = kind;
  }
}
