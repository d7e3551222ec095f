/**
 * Command descriptor blocks (SPC-4, SBC-3), for tests: each function is one command and takes its fields.
 */
import { writeUint16, writeUint24, writeUint32, writeUint64 } from "../../lib/bytes/big_endian.ts";

/** Bits that READ, WRITE and VERIFY commands share (SBC-3, 5.8). */
export interface BlockOptions {
  /** RDPROTECT, WRPROTECT or VRPROTECT. */
  readonly protect?: number;
  readonly dpo?: boolean;
  readonly fua?: boolean;
  /** BYTCHK of VERIFY. */
  readonly byteCheck?: number;
}

function flagsOf({ protect = 0, dpo = false, fua = false, byteCheck = 0 }: BlockOptions): number {
  return protect << 5 | (dpo ? 0x10 : 0) | (fua ? 0x08 : 0) | byteCheck << 1;
}

function cdb6(opcode: number, lba: number, blocks: number): Uint8Array {
  const cdb = new Uint8Array(6);
  writeUint24(cdb, 1, lba);
  cdb[0] = opcode;
  cdb[4] = blocks;
  return cdb;
}

function cdb10(opcode: number, lba: number, blocks: number, options: BlockOptions): Uint8Array {
  const cdb = new Uint8Array(10);
  cdb[0] = opcode;
  cdb[1] = flagsOf(options);
  writeUint32(cdb, 2, lba);
  writeUint16(cdb, 7, blocks);
  return cdb;
}

function cdb12(opcode: number, lba: number, blocks: number, options: BlockOptions): Uint8Array {
  const cdb = new Uint8Array(12);
  cdb[0] = opcode;
  cdb[1] = flagsOf(options);
  writeUint32(cdb, 2, lba);
  writeUint32(cdb, 6, blocks);
  return cdb;
}

function cdb16(opcode: number, lba: number, blocks: number, options: BlockOptions): Uint8Array {
  const cdb = new Uint8Array(16);
  cdb[0] = opcode;
  cdb[1] = flagsOf(options);
  writeUint64(cdb, 2, lba);
  writeUint32(cdb, 10, blocks);
  return cdb;
}

/** Builds READ (6): 0 blocks mean 256. */
export function read6(lba: number, blocks: number): Uint8Array {
  return cdb6(0x08, lba, blocks);
}
/** Builds READ (10). */
export function read10(lba: number, blocks: number, options: BlockOptions = {}): Uint8Array {
  return cdb10(0x28, lba, blocks, options);
}
/** Builds READ (12). */
export function read12(lba: number, blocks: number, options: BlockOptions = {}): Uint8Array {
  return cdb12(0xa8, lba, blocks, options);
}
/** Builds READ (16). */
export function read16(lba: number, blocks: number, options: BlockOptions = {}): Uint8Array {
  return cdb16(0x88, lba, blocks, options);
}
/** Builds WRITE (6): 0 blocks mean 256. */
export function write6(lba: number, blocks: number): Uint8Array {
  return cdb6(0x0a, lba, blocks);
}
/** Builds WRITE (10). */
export function write10(lba: number, blocks: number, options: BlockOptions = {}): Uint8Array {
  return cdb10(0x2a, lba, blocks, options);
}
/** Builds WRITE (12). */
export function write12(lba: number, blocks: number, options: BlockOptions = {}): Uint8Array {
  return cdb12(0xaa, lba, blocks, options);
}
/** Builds WRITE (16). */
export function write16(lba: number, blocks: number, options: BlockOptions = {}): Uint8Array {
  return cdb16(0x8a, lba, blocks, options);
}
/** Builds VERIFY (10). */
export function verify10(lba: number, blocks: number, options: BlockOptions = {}): Uint8Array {
  return cdb10(0x2f, lba, blocks, options);
}
/** Builds VERIFY (16). */
export function verify16(lba: number, blocks: number, options: BlockOptions = {}): Uint8Array {
  return cdb16(0x8f, lba, blocks, options);
}
/** Builds COMPARE AND WRITE. */
export function compareAndWrite(lba: number, blocks: number, options: BlockOptions = {}): Uint8Array {
  return cdb16(0x89, lba, blocks, options);
}
/** Builds WRITE ATOMIC (16), without boundaries. */
export function writeAtomic16(lba: number, blocks: number, options: BlockOptions = {}): Uint8Array {
  return cdb16(0x9c, lba, blocks, options);
}
/** Builds SYNCHRONIZE CACHE (10). */
export function synchronizeCache10(lba = 0, blocks = 0): Uint8Array {
  return cdb10(0x35, lba, blocks, {});
}
/** Builds SYNCHRONIZE CACHE (16). */
export function synchronizeCache16(lba = 0, blocks = 0): Uint8Array {
  return cdb16(0x91, lba, blocks, {});
}
/** Builds TEST UNIT READY. */
export function testUnitReady(): Uint8Array {
  return new Uint8Array(6);
}
/** Builds INQUIRY: standard data, or a vital product data page. */
export function inquiry(allocationLength: number, page?: number): Uint8Array {
  const cdb = Uint8Array.of(0x12, page === undefined ? 0 : 1, page ?? 0, 0, 0, 0);
  writeUint16(cdb, 3, allocationLength);
  return cdb;
}
/** Builds REQUEST SENSE. */
export function requestSense(allocationLength: number, usesDescriptors = false): Uint8Array {
  return Uint8Array.of(0x03, usesDescriptors ? 1 : 0, 0, 0, allocationLength, 0);
}
/** Builds REPORT LUNS. */
export function reportLuns(allocationLength: number, selectReport = 0): Uint8Array {
  const cdb = new Uint8Array(12);
  cdb[0] = 0xa0;
  cdb[2] = selectReport;
  writeUint32(cdb, 6, allocationLength);
  return cdb;
}
/** Builds READ CAPACITY (10). */
export function readCapacity10(): Uint8Array {
  return cdb10(0x25, 0, 0, {});
}
/** Builds READ CAPACITY (16). */
export function readCapacity16(allocationLength = 32): Uint8Array {
  const cdb = cdb16(0x9e, 0, allocationLength, {});
  cdb[1] = 0x10;
  return cdb;
}
/** Builds MODE SENSE (6). */
export function modeSense6(page: number, allocationLength: number, pageControl = 0): Uint8Array {
  return Uint8Array.of(0x1a, 0, pageControl << 6 | page, 0, allocationLength, 0);
}
/** Builds MODE SENSE (10). */
export function modeSense10(page: number, allocationLength: number, pageControl = 0): Uint8Array {
  const cdb = cdb10(0x5a, 0, allocationLength, {});
  cdb[2] = pageControl << 6 | page;
  return cdb;
}
/** Builds START STOP UNIT. */
export function startStopUnit(isStart: boolean): Uint8Array {
  return Uint8Array.of(0x1b, 0, 0, 0, isStart ? 1 : 0, 0);
}
