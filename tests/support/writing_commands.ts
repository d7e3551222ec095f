/** The commands that change blocks (SBC-3, SPC-4), each for a slot of eight blocks or for the whole disk. */
import { writeUint16, writeUint32, writeUint64 } from "../../lib/bytes/big_endian.ts";
import { compareAndWrite, write10, write12, write16, writeAtomic16 } from "./initiator_cdb.ts";

/** Bytes of a block. */
export const BLOCK_BYTES = 512;

/** Blocks of a slot: each command replaces all of one slot. */
export const SLOT_BLOCKS = 8;

/** Bytes of a slot. */
export const SLOT_BYTES = SLOT_BLOCKS * BLOCK_BYTES;

/** A command and its data. */
export interface ChangingCommand {
  readonly cdb: Uint8Array;
  readonly write?: Uint8Array;
}

/** A row of `CHANGES`. */
export interface ChangeRow {
  readonly makesZeros?: boolean;
  /** Returns the command that replaces the old content of the slot at an address. */
  readonly command: (lba: number, old: Uint8Array, fresh: Uint8Array) => ChangingCommand;
}

/** The commands that replace a slot with a record, or with zeros. */
export const CHANGES = {
  write10: { command: (lba, _old, write) => ({ cdb: write10(lba, SLOT_BLOCKS), write }) },
  write12: { command: (lba, _old, write) => ({ cdb: write12(lba, SLOT_BLOCKS), write }) },
  write16: { command: (lba, _old, write) => ({ cdb: write16(lba, SLOT_BLOCKS), write }) },
  writeAndVerify: {
    command: (lba, _old, write) => ({ cdb: withOpcode(0x2e, write10(lba, SLOT_BLOCKS)), write }),
  },
  atomic: { command: (lba, _old, write) => ({ cdb: writeAtomic16(lba, SLOT_BLOCKS), write }) },
  compareAndWrite: {
    command: (lba, old, fresh) => ({
      cdb: compareAndWrite(lba, SLOT_BLOCKS),
      write: Uint8Array.from([...old, ...fresh]),
    }),
  },
  writeSame: { command: writeSameOf },
  zeros: { makesZeros: true, command: writeSameOf },
  writeSameUnmap: {
    makesZeros: true,
    command: (lba, _old, fresh) => {
      const cdb = withOpcode(0x93, write16(lba, SLOT_BLOCKS));
      cdb[1] = 0x08;
      return { cdb, write: fresh.subarray(0, BLOCK_BYTES) };
    },
  },
  unmap: { makesZeros: true, command: unmapOf },
} as const satisfies Readonly<Record<string, ChangeRow>>;

/** The commands that make the whole disk zero. */
export const ERASURES = {
  sanitizeBlockErase: { cdb: Uint8Array.of(0x48, 0x02, 0, 0, 0, 0, 0, 0, 0, 0) },
  sanitizeOverwrite: {
    cdb: Uint8Array.of(0x48, 0x01, 0, 0, 0, 0, 0, 0, 5, 0),
    write: Uint8Array.of(1, 0, 0, 1, 0),
  },
  formatUnit: { cdb: Uint8Array.of(0x04, 0, 0, 0, 0, 0) },
} as const satisfies Readonly<Record<string, ChangingCommand>>;

/** Builds ORWRITE (16). */
export function orWriteOf(lba: number, write: Uint8Array): ChangingCommand {
  return { cdb: withOpcode(0x8b, write16(lba, SLOT_BLOCKS)), write };
}

/** Builds EXTENDED COPY (LID1) from one slot of a LUN to another (SPC-4, 6.3). */
export function copyOf(naa: Uint8Array, from: number, to: number): ChangingCommand {
  const [headerBytes, cscdBytes, segmentBytes] = [16, 32, 28];
  const write = new Uint8Array(headerBytes + cscdBytes + segmentBytes);
  // No list identifier: no initiator asks for the result later (LIST ID USAGE 11b).
  write[1] = 0x18;
  writeUint16(write, 2, cscdBytes);
  writeUint32(write, 8, segmentBytes);
  const cscd = write.subarray(headerBytes);
  cscd.set([0xe4, 0, 0, 0, 0x01, 0x03, 0, naa.length, ...naa]);
  writeUint16(cscd, 30, BLOCK_BYTES);
  const segment = write.subarray(headerBytes + cscdBytes);
  segment.set([0x02, 0, 0, segmentBytes - 4]);
  writeUint16(segment, 10, SLOT_BLOCKS);
  writeUint64(segment, 12, from);
  writeUint64(segment, 20, to);
  const cdb = new Uint8Array(16);
  cdb[0] = 0x83;
  writeUint32(cdb, 10, write.length);
  return { cdb, write };
}

function writeSameOf(lba: number, _old: Uint8Array, fresh: Uint8Array): ChangingCommand {
  return { cdb: withOpcode(0x41, write10(lba, SLOT_BLOCKS)), write: fresh.subarray(0, BLOCK_BYTES) };
}

function unmapOf(lba: number): ChangingCommand {
  const write = new Uint8Array(24);
  writeUint16(write, 0, 22);
  writeUint16(write, 2, 16);
  writeUint64(write, 8, lba);
  writeUint32(write, 16, SLOT_BLOCKS);
  const cdb = new Uint8Array(10);
  cdb[0] = 0x42;
  writeUint16(cdb, 7, write.length);
  return { cdb, write };
}

function withOpcode(opcode: number, cdb: Uint8Array): Uint8Array {
  cdb[0] = opcode;
  return cdb;
}
