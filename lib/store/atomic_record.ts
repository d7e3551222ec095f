/**
 * The record of the atomic writes under way: the bytes that they replace, and checksums of the new bytes.
 *
 * ```text
 *     0 | "ISCSIUND", or zeros when nothing is recorded
 *     8 | version: 2
 *    12 | bytes of the body
 *    16 | CRC32C of the body
 *    20 | number of writes
 *    24 | the logical unit: its NAA designator in ASCII, padded with zeros
 *   508 | CRC32C of bytes 0-507
 *  4096 | the body: the writes, one after the other
 *
 *       write   0 | offset in the store
 *               8 | bytes that are replaced
 *              12 | CRC32C of each sector of the new bytes
 *                 | the old bytes
 * ```
 *
 * The header is one sector and is written after the body, so after `kill -9` a record is complete or absent. After a
 * loss of power the disk may hold anything; then the checksums show what is complete.
 *
 * In version 1, bytes 12-15 are the number of replaced bytes, 16-23 the offset, and 24-27 a CRC32C of all that and of
 * the replaced bytes; zeros follow. The body is the replaced bytes.
 */
import { readUint32, readUint64, writeUint32, writeUint64 } from "../bytes/big_endian.ts";
import { crc32c } from "../bytes/crc32c.ts";
import { equalBytes, type Replacement } from "./write_or_restore.ts";

/** The unit that every disk writes as a whole or not at all. */
export const SECTOR_BYTES = 512;

/** The offset of the body. */
export const BODY_OFFSET = 4096;

const MAGIC = new TextEncoder().encode("ISCSIUND");
const VERSION = 2;
const OWNER_OFFSET = 24;
const OWNER_BYTES = 64;
const HEADER_CHECKSUM_OFFSET = 508;
const WRITE_HEADER_BYTES = 12;
const VERSION_1_CHECKSUM_OFFSET = 24;

/** A write in a record. */
export interface RecordedWrite {
  readonly offset: number;
  readonly old: Uint8Array;
  /** Checksums of the sectors of the new bytes; undefined in version 1. */
  readonly checksums: readonly number[] | undefined;
}

/** The content of a journal. */
export type JournalContent =
  | { readonly kind: "nothing" }
  | { readonly kind: "record"; readonly owner: string | undefined; readonly writes: readonly RecordedWrite[] }
  /** The header is present and the body is not: the power failed before any of the writes began. */
  | { readonly kind: "incomplete" }
  | { readonly kind: "damaged" }
  | { readonly kind: "newer"; readonly version: number };

/**
 * The state of a recorded write, by the bytes that the store holds in its place; "other" when something else has
 * replaced it.
 */
export type WriteState = "untouched" | "torn" | "whole" | "other";

/** Returns the number of sectors that bytes of a store touch. */
function countSectors(offset: number, lengthBytes: number): number {
  return Math.ceil((offset % SECTOR_BYTES + lengthBytes) / SECTOR_BYTES);
}

/** Calls `visit` for each sector that bytes of a store touch, with the part of the bytes in it. */
function forEachSector(
  offset: number,
  bytes: Uint8Array,
  visit: (part: Uint8Array, index: number) => void,
): void {
  for (let start = 0, index = 0; start < bytes.length; index++) {
    const end = Math.min(start + SECTOR_BYTES - (offset + start) % SECTOR_BYTES, bytes.length);
    visit(bytes.subarray(start, end), index);
    start = end;
  }
}

/** Returns the number of bytes that a write takes in a body. */
export function recordedBytes(offset: number, lengthBytes: number): number {
  return WRITE_HEADER_BYTES + 4 * countSectors(offset, lengthBytes) + lengthBytes;
}

/** Returns the maximum number of bytes of a body with a single write of this length. */
export function recordBytesMax(writeBytes: number): number {
  // The write may begin within a sector.
  return recordedBytes(SECTOR_BYTES - 1, writeBytes);
}

/** Encodes the body of a record. */
export function encodeBody(replacements: readonly Replacement[]): Uint8Array {
  const lengths = replacements.map(({ offset, old }) => recordedBytes(offset, old.length));
  const body = new Uint8Array(lengths.reduce((sum, length) => sum + length, 0));
  let start = 0;
  for (const [index, { offset, old, fresh }] of replacements.entries()) {
    writeUint64(body, start, offset);
    writeUint32(body, start + 8, old.length);
    const checksums = start + WRITE_HEADER_BYTES;
    forEachSector(offset, fresh, (part, sector) => writeUint32(body, checksums + 4 * sector, crc32c(part)));
    start += lengths[index]!;
    body.set(old, start - old.length);
  }
  return body;
}

/** Encodes the header of a record. */
export function encodeHeader(owner: string, body: Uint8Array, writeCount: number): Uint8Array {
  const header = new Uint8Array(SECTOR_BYTES);
  header.set(MAGIC);
  writeUint32(header, 8, VERSION);
  writeUint32(header, 12, body.length);
  writeUint32(header, 16, crc32c(body));
  writeUint32(header, 20, writeCount);
  header.set(new TextEncoder().encode(owner).subarray(0, OWNER_BYTES), OWNER_OFFSET);
  writeUint32(header, HEADER_CHECKSUM_OFFSET, crc32c(header, 0, 0, HEADER_CHECKSUM_OFFSET));
  return header;
}

/** Returns whether a journal that begins with these bytes has no record. */
export function isBlank(header: Uint8Array): boolean {
  return header.subarray(0, MAGIC.length).every((byte) => byte === 0);
}

/** Decodes a journal. */
export function decodeJournal(bytes: Uint8Array): JournalContent {
  if (isBlank(bytes)) return { kind: "nothing" };
  if (bytes.length < SECTOR_BYTES || MAGIC.some((byte, index) => bytes[index] !== byte)) {
    return { kind: "damaged" };
  }
  const version = readUint32(bytes, 8);
  if (version === 1) return decodeVersion1(bytes);
  // A newer version may have its checksum elsewhere.
  if (version > VERSION) return { kind: "newer", version };
  const checksum = crc32c(bytes, 0, 0, HEADER_CHECKSUM_OFFSET);
  if (version !== VERSION || checksum !== readUint32(bytes, HEADER_CHECKSUM_OFFSET)) {
    return { kind: "damaged" };
  }
  const bodyBytes = readUint32(bytes, 12);
  const body = bytes.subarray(BODY_OFFSET, BODY_OFFSET + bodyBytes);
  if (body.length < bodyBytes || crc32c(body) !== readUint32(bytes, 16)) return { kind: "incomplete" };
  const owner = new TextDecoder().decode(bytes.subarray(OWNER_OFFSET, OWNER_OFFSET + OWNER_BYTES));
  return {
    kind: "record",
    owner: owner.replace(/\0+$/, ""),
    writes: decodeBody(body, readUint32(bytes, 20)),
  };
}

function decodeVersion1(bytes: Uint8Array): JournalContent {
  const old = bytes.subarray(BODY_OFFSET, BODY_OFFSET + readUint32(bytes, 12));
  const checksum = crc32c(old, crc32c(bytes, 0, 0, VERSION_1_CHECKSUM_OFFSET));
  if (readUint32(bytes, VERSION_1_CHECKSUM_OFFSET) !== checksum) return { kind: "damaged" };
  return {
    kind: "record",
    owner: undefined,
    writes: [{ offset: readUint64(bytes, 16), old, checksums: undefined }],
  };
}

function decodeBody(body: Uint8Array, count: number): RecordedWrite[] {
  let start = 0;
  return Array.from({ length: count }, () => {
    const offset = readUint64(body, start);
    const lengthBytes = readUint32(body, start + 8);
    const checksums = Array.from(
      { length: countSectors(offset, lengthBytes) },
      (_, sector) => readUint32(body, start + WRITE_HEADER_BYTES + 4 * sector),
    );
    start += recordedBytes(offset, lengthBytes);
    return { offset, old: body.subarray(start - lengthBytes, start), checksums };
  });
}

/**
 * Returns the state of a recorded write, by the bytes that the store holds in its place. When sectors hold neither the
 * old nor the new bytes, a later write replaced them, or the record belongs to another store.
 */
export function examineWrite({ offset, old, checksums }: RecordedWrite, held: Uint8Array): WriteState {
  if (checksums === undefined) return equalBytes(old, held) ? "untouched" : "torn";
  let [isUntouched, isWhole, isOther] = [true, true, false];
  let at = 0;
  forEachSector(offset, held, (part, index) => {
    const isOld = equalBytes(old.subarray(at, at + part.length), part);
    const isFresh = crc32c(part) === checksums[index];
    at += part.length;
    isUntouched &&= isOld;
    isWhole &&= isFresh;
    isOther ||= !isOld && !isFresh;
  });
  if (isOther) return "other";
  if (isWhole) return "whole";
  return isUntouched ? "untouched" : "torn";
}
