/**
 * Cuts a byte stream into PDUs (RFC 7143, 11.1), without doing any I/O and without copying:
 *
 *     +----------------------+----------------------+---------+----------------------+---------+
 *     | basic header segment | additional header    | header  | data segment         | data    |
 *     | 48 bytes             | TotalAHSLength words | digest  | padded to 4 bytes    | digest  |
 *     +----------------------+----------------------+---------+----------------------+---------+
 *
 * The invariant: 0 <= start <= end <= buffer.length. Bytes before `start` have been handed out as PDUs, those from
 * `start` to `end` have been received, those after `end` are free.
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

/** The longest sequence of additional header segments: TotalAHSLength counts words of 4 bytes in 8 bits. */
const ADDITIONAL_HEADER_BYTES_MAX = 255 * 4;

/** The size of the largest PDU with a data segment of `dataSegmentBytes`, both digests included. */
export function frameBytesMax(dataSegmentBytes: number): number {
  return BASIC_HEADER_BYTES + ADDITIONAL_HEADER_BYTES_MAX + paddedLength(dataSegmentBytes) + 2 * DIGEST_BYTES;
}

/** A connection's receive buffer. */
export class FrameBuffer {
  #buffer: Uint8Array;
  #start = 0;
  #end = 0;
  #dataSegmentBytesMax: number;
  #digests = NO_DIGESTS;
  /** The header of the PDU at `start` has come, and is what its digest says. */
  #isHeaderChecked = false;

  /**
   * @param capacityBytes at least `frameBytesMax(dataSegmentBytesMax)`
   * @param dataSegmentBytesMax a longer data segment is the peer's fault
   */
  constructor(capacityBytes: number, dataSegmentBytesMax: number) {
    this.#buffer = new Uint8Array(capacityBytes);
    this.#dataSegmentBytesMax = dataSegmentBytesMax;
  }

  /** Changes capacity and limit between two PDUs; what has been received and not handed out is kept. */
  resize(capacityBytes: number, dataSegmentBytesMax: number): void {
    const rest = this.#buffer.subarray(this.#start, this.#end);
    const buffer = new Uint8Array(Math.max(capacityBytes, rest.length));
    buffer.set(rest);
    this.#buffer = buffer;
    this.#start = 0;
    this.#end = rest.length;
    this.#dataSegmentBytesMax = dataSegmentBytesMax;
  }

  /** Drops what has been received and not handed out, and the memory for it: nothing more is received. */
  release(): void {
    this.#buffer = NO_DATA;
    this.#start = this.#end = 0;
  }

  /** Expects digests from the next PDU on. */
  expectDigests(digests: Digests): void {
    this.#digests = digests;
  }

  /** Free space for what comes next, never empty; ends the life of every frame handed out before. */
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

  /** A read should complete the PDU under way, and be large: its cost is the call, not the byte. */
  #isCramped(): boolean {
    const free = this.#buffer.length - this.#end;
    return free < this.#missing() || free < this.#buffer.length / 4;
  }

  /** Takes note that `count` bytes were put into the space. */
  received(count: number): void {
    this.#end += count;
  }

  /**
   * The next complete PDU, or undefined when it has not been received yet.
   *
   * @throws {ProtocolError} when its header digest is wrong, or its data segment longer than allowed
   */
  next(): Frame | undefined {
    const available = this.#end - this.#start;
    if (available < BASIC_HEADER_BYTES) return undefined;
    const headerBytes = headerLength(this.#buffer, this.#start);
    const { headerDigestBytes } = this.#digests;
    // Without a digest there is nothing to wait for: a header may lie about its additional segments, too.
    const checkableBytes = headerDigestBytes === 0 ? BASIC_HEADER_BYTES : headerBytes + headerDigestBytes;
    if (available < checkableBytes) return undefined;
    this.#checkHeader(headerBytes);
    if (available < this.#pduBytes()) return undefined;
    return this.#take(headerBytes, this.#dataBytes());
  }

  /** Before a header is known to be right, nothing that it says of lengths is relied on (RFC 7143, 7.8). */
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

  /** How many bytes complete the PDU at `start`, or at least its basic header, whichever can be known. */
  #missing(): number {
    const available = this.#end - this.#start;
    return (this.#isHeaderChecked ? this.#pduBytes() : BASIC_HEADER_BYTES) - available;
  }
}
