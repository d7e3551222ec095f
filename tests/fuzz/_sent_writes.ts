/**
 * The writes that an initiator's stream of bytes asks for, decoded independently of the target: each byte that the
 * target writes must be one that a WRITE command of that stream puts there.
 */
import { readUint16, readUint24, readUint32 } from "../../lib/bytes/big_endian.ts";
import { bytesWithDigests, type DigestUse, NO_DIGESTS } from "../support/initiator_digest.ts";
import { HEADER_BYTES, Opcode } from "../support/initiator_pdu.ts";

const BLOCK_BYTES = 512;

/** Commands that change the medium in another way than by putting their data there. */
const OTHER_WRITING = new Set([
  ...[0x04, 0x07, 0x2e, 0x3f, 0x41, 0x42, 0x48, 0x53, 0x83, 0x89, 0x8b, 0x8e, 0x93, 0x9c, 0x9d, 0xae],
]);

/** Reports if a command writes in another way than WRITE does. */
export function writesOtherwise(operationCode: number): boolean {
  return OTHER_WRITING.has(operationCode);
}

interface WriteCommand {
  readonly lun: number;
  readonly initiatorTaskTag: number;
  readonly startBytes: number;
  readonly endBytes: number;
}

interface DataSegment {
  readonly bufferOffset: number;
  readonly data: Uint8Array;
}

/** Bytes that have reached a medium. */
export interface StoreWrite {
  readonly lun: number;
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** The WRITE commands of one connection's stream. */
export class SentWrites {
  /** The digests of what is added from now on. They are not looked at: a damaged WRITE is none that writes. */
  digests: DigestUse = NO_DIGESTS;
  #rest: Uint8Array = new Uint8Array();
  readonly #commands: WriteCommand[] = [];
  readonly #data = new Map<number, DataSegment[]>();
  /** The stream has a command whose writes are not modelled here. */
  hasOtherWriting = false;

  /** Takes what was sent; calls back for every PDU in it, as the target cuts them. */
  add(bytes: Uint8Array, onPdu: (header: Uint8Array) => void): void {
    const stream = new Uint8Array(this.#rest.length + bytes.length);
    stream.set(this.#rest);
    stream.set(bytes, this.#rest.length);
    let start = 0;
    while (stream.length - start >= HEADER_BYTES) {
      const end = start + bytesWithDigests(stream.subarray(start), this.digests);
      if (end > stream.length) break;
      const header = stream.subarray(start, start + HEADER_BYTES + stream[start + 4]! * 4);
      const dataStart = start + header.length + (this.digests.header ? 4 : 0);
      const dataBytes = readUint24(stream, start + 5);
      onPdu(header);
      this.#addPdu(header, stream.subarray(dataStart, dataStart + dataBytes));
      start = end;
    }
    this.#rest = stream.slice(start);
  }

  /** Clears in `open` the bytes of a write that a command of this stream accounts for. */
  strikeOut({ lun, offset, bytes }: StoreWrite, open: Uint8Array): void {
    for (const { startBytes, endBytes, ...command } of this.#commands) {
      if (command.lun !== lun || endBytes <= offset || startBytes >= offset + bytes.length) continue;
      for (const { bufferOffset, data } of this.#data.get(command.initiatorTaskTag) ?? []) {
        const shift = startBytes + bufferOffset - offset;
        const first = Math.max(0, shift);
        const end = Math.min(bytes.length, endBytes - offset, shift + data.length);
        for (let at = first; at < end; at++) if (bytes[at] === data[at - shift]) open[at] = 0;
      }
    }
  }

  #addPdu(header: Uint8Array, data: Uint8Array): void {
    const opcode = header[0]! & 0x3f;
    const initiatorTaskTag = readUint32(header, 16);
    if (opcode === Opcode.dataOut) this.#addData(initiatorTaskTag, readUint32(header, 40), data);
    if (opcode !== Opcode.scsiCommand) return;
    this.#addData(initiatorTaskTag, 0, data);
    const operationCode = header[32]!;
    if (writesOtherwise(operationCode)) this.hasOtherWriting = true;
    const range = blocksOf(header.subarray(32, 48));
    if (range === undefined) return;
    const [lba, blocks] = range;
    const startBytes = lba * BLOCK_BYTES;
    this.#commands.push({
      lun: readUint16(header, 8) & 0xff,
      initiatorTaskTag,
      startBytes,
      endBytes: startBytes + blocks * BLOCK_BYTES,
    });
  }

  #addData(initiatorTaskTag: number, bufferOffset: number, data: Uint8Array): void {
    if (data.length === 0) return;
    const segments = this.#data.get(initiatorTaskTag) ?? [];
    segments.push({ bufferOffset, data });
    this.#data.set(initiatorTaskTag, segments);
  }
}

/** Reports if commands of these streams account for every byte of a write. */
export function isJustified(write: StoreWrite, sent: readonly SentWrites[]): boolean {
  const open = new Uint8Array(write.bytes.length).fill(1);
  for (const one of sent) one.strikeOut(write, open);
  return !open.includes(1);
}

/** Returns the first block and number of blocks of a WRITE; undefined for any other command. */
function blocksOf(cdb: Uint8Array): readonly [lba: number, blocks: number] | undefined {
  switch (cdb[0]) {
    case 0x0a:
      return [readUint24(cdb, 1) & 0x1fffff, cdb[4] === 0 ? 256 : cdb[4]!];
    case 0x2a:
      return [readUint32(cdb, 2), readUint16(cdb, 7)];
    case 0xaa:
      return [readUint32(cdb, 2), readUint32(cdb, 6)];
    case 0x8a:
      return [readUint32(cdb, 2) * 2 ** 32 + readUint32(cdb, 6), readUint32(cdb, 10)];
    default:
      return undefined;
  }
}
