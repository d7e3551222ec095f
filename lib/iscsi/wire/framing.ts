/**
 * The receive buffer of a connection, which divides its bytes into PDUs (RFC 7143, 11.1) without I/O or copies:
 *
 *     +----------------------+----------------------+---------+----------------------+---------+
 *     | basic header segment | additional header    | header  | data segment         | data    |
 *     | 48 bytes             | TotalAHSLength words | digest  | padded to 4 bytes    | digest  |
 *     +----------------------+----------------------+---------+----------------------+---------+
 *
 * Invariant: 0 <= start <= end <= buffer.length. Bytes before `start` have been returned as PDUs, those from `start` to
 * `end` have been received, those after `end` are free.
 */
import { view } from "../../bytes/view.ts";
import { DIGEST_BYTES, type Digests, NO_DIGESTS } from "./digests.ts";
import { connectionBroken } from "../pdu/protocol_error.ts";
import {
  BASIC_HEADER_BYTES,
  dataSegmentLength,
  type Frame,
  headerLength,
  paddedLength,
} from "../pdu/header.ts";

const NO_DATA = new Uint8Array();

/** Longest additional header segments: TotalAHSLength counts words of 4 bytes in 8 bits. */
const ADDITIONAL_HEADER_BYTES_MAX = 255 * 4;

/** Returns the size of the largest PDU with a data segment of `dataSegmentBytes`, both digests included. */
export function frameBytesMax(dataSegmentBytes: number): number {
  return BASIC_HEADER_BYTES + ADDITIONAL_HEADER_BYTES_MAX + paddedLength(dataSegmentBytes) + 2 * DIGEST_BYTES;
}

/** The receive buffer of a connection. */
export class FrameBuffer {
  #buffer: Uint8Array;
  #start = 0;
  #end = 0;
  #dataSegmentBytesMax: number;
  #digests = NO_DIGESTS;
  /** The header of the PDU at `start` has been received and matches its digest. */
  #isHeaderChecked = false;

  /**
   * @param capacityBytes at least `frameBytesMax(dataSegmentBytesMax)`
   * @param dataSegmentBytesMax limit of a data segment; a longer one is a protocol error
   */
  constructor(capacityBytes: number, dataSegmentBytesMax: number) {
    this.#buffer = new Uint8Array(capacityBytes);
    this.#dataSegmentBytesMax = dataSegmentBytesMax;
  }

  /** Changes capacity and limit between two PDUs; received bytes are kept. */
  resize(capacityBytes: number, dataSegmentBytesMax: number): void {
    const rest = this.#buffer.subarray(this.#start, this.#end);
    const buffer = new Uint8Array(Math.max(capacityBytes, rest.length));
    buffer.set(rest);
    this.#buffer = buffer;
    this.#start = 0;
    this.#end = rest.length;
    this.#dataSegmentBytesMax = dataSegmentBytesMax;
  }

  /** Discards received bytes and frees the memory; nothing more can be received. */
  release(): void {
    this.#buffer = NO_DATA;
    this.#start = this.#end = 0;
  }

  /** Expects digests, beginning with the next PDU. */
  expectDigests(digests: Digests): void {
    this.#digests = digests;
  }

  /** Returns free space for the next bytes, never empty; invalidates all earlier frames. */
  space(): Uint8Array {
    if (this.#start === this.#end) {
      this.#start = this.#end = 0;
    } else if (this.#start > 0 && this.#isCramped()) {
      this.#buffer.copyWithin(0, this.#start, this.#end);
      this.#end -= this.#start;
      this.#start = 0;
    }
    return this.#buffer.subarray(this.#end);
  }

  /** Returns whether the free space is too small to complete the next PDU, or for a large and so efficient read. */
  #isCramped(): boolean {
    const free = this.#buffer.length - this.#end;
    return free < this.#missing() || free < this.#buffer.length / 4;
  }

  /** Adds `count` bytes that have been written to the free space. */
  received(count: number): void {
    this.#end += count;
  }

  /**
   * Returns the next PDU; undefined until it is complete.
   *
   * @throws {ProtocolError} when its header digest is wrong or its data segment too long
   */
  next(): Frame | undefined {
    const available = this.#end - this.#start;
    if (available < BASIC_HEADER_BYTES) return undefined;
    const headerBytes = headerLength(this.#buffer, this.#start);
    const { headerDigestBytes } = this.#digests;
    // Without a digest the basic header is checked at once, so a false TotalAHSLength delays nothing.
    const checkableBytes = headerDigestBytes === 0 ? BASIC_HEADER_BYTES : headerBytes + headerDigestBytes;
    if (available < checkableBytes) return undefined;
    this.#checkHeader(headerBytes);
    if (available < this.#pduBytes()) return undefined;
    return this.#take(headerBytes, this.#dataBytes());
  }

  /** Checks the header digest first: the lengths of a header that may be damaged mean nothing (RFC 7143, 7.8). */
  #checkHeader(headerBytes: number): void {
    if (this.#isHeaderChecked) return;
    if (!this.#digests.isHeaderRight(this.#buffer, this.#start, this.#start + headerBytes)) {
      throw connectionBroken("Header digest error");
    }
    const dataBytes = this.#dataBytes();
    if (dataBytes > this.#dataSegmentBytesMax) {
      throw connectionBroken(
        `Data segment of ${dataBytes} bytes is longer than the limit of ${this.#dataSegmentBytesMax}`,
      );
    }
    this.#isHeaderChecked = true;
  }

  #take(headerBytes: number, dataBytes: number): Frame {
    const dataStart = this.#start + headerBytes + this.#digests.headerDigestBytes;
    const dataEnd = dataStart + paddedLength(dataBytes);
    const header = view(this.#buffer, this.#start, this.#start + headerBytes);
    const data = dataBytes === 0 ? NO_DATA : view(this.#buffer, dataStart, dataStart + dataBytes);
    const hasDataDigestError = !this.#digests.isDataRight(this.#buffer, dataStart, dataEnd);
    this.#start = dataEnd + this.#digests.dataDigestBytes(dataBytes);
    this.#isHeaderChecked = false;
    return { header, data, hasDataDigestError };
  }

  #dataBytes(): number {
    return dataSegmentLength(this.#buffer, this.#start);
  }

  #pduBytes(): number {
    const dataBytes = this.#dataBytes();
    return headerLength(this.#buffer, this.#start) + this.#digests.headerDigestBytes +
      paddedLength(dataBytes) +
      this.#digests.dataDigestBytes(dataBytes);
  }

  /** Returns the bytes missing from the PDU at `start`, or from its basic header while its length is unknown. */
  #missing(): number {
    const available = this.#end - this.#start;
    return (this.#isHeaderChecked ? this.#pduBytes() : BASIC_HEADER_BYTES) - available;
  }
}
