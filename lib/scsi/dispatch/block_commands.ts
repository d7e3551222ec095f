/** The commands of SBC: what makes a logical unit a disk. */
import { type CommandRow, CONTROL } from "./command.ts";
import { readCapacity10, readCapacity16 } from "../commands/capacity.ts";
import { getLbaStatus } from "../commands/get_lba_status.ts";
import { preFetch10, preFetch16 } from "../commands/pre_fetch.ts";
import { readDefectData10, readDefectData12 } from "../commands/read_defect_data.ts";
import * as readWrite from "../commands/read_write.ts";
import { sanitizeBlockErase, sanitizeExitFailureMode, sanitizeOverwrite } from "../commands/sanitize.ts";
import { startStopUnit, startsUnit } from "../commands/start_stop_unit.ts";
import { synchronizeCache10, synchronizeCache16 } from "../commands/synchronize_cache.ts";
import { compareAndWrite, orWrite16, writeAtomic16 } from "../commands/uninterrupted_write.ts";
import { unmapBlocks } from "../commands/unmap.ts";
import { verify10, verify12, verify16 } from "../commands/verify.ts";
import { writeAndVerify10, writeAndVerify12, writeAndVerify16 } from "../commands/write_and_verify.ts";
import { writeSame10, writeSame16 } from "../commands/write_same.ts";

/** Bytes 2 to 13 of the long CDBs: 8 of address, 4 of length. */
const ADDRESS_AND_LENGTH_16: readonly number[] = Array.from({ length: 12 }, () => 0xff);

/** The rows of SBC, by their names. */
export const BLOCK_COMMANDS: Readonly<Record<string, CommandRow>> = {
  "READ(6)": {
    opcode: 0x08,
    usage: [0x08, 0x1f, 0xff, 0xff, 0xff, CONTROL],
    access: "reads",
    countsAs: "read",
    execute: readWrite.read6,
  },
  "WRITE(6)": {
    opcode: 0x0a,
    usage: [0x0a, 0x1f, 0xff, 0xff, 0xff, CONTROL],
    access: "writes",
    countsAs: "write",
    execute: readWrite.write6,
  },
  "START STOP UNIT": {
    opcode: 0x1b,
    usage: [0x1b, 0x01, 0, 0x0f, 0xf7, CONTROL],
    access: "configures",
    passesReservations: startsUnit,
    execute: startStopUnit,
  },
  "READ CAPACITY(10)": {
    opcode: 0x25,
    usage: [0x25, 0, 0, 0, 0, 0, 0, 0, 0, CONTROL],
    access: "identifies",
    isHeadOfQueue: true,
    execute: readCapacity10,
  },
  "READ(10)": {
    opcode: 0x28,
    usage: [0x28, 0xf8, 0xff, 0xff, 0xff, 0xff, 0, 0xff, 0xff, CONTROL],
    ignores: ["forceUnitAccessNonVolatile", "groupNumber"],
    access: "reads",
    countsAs: "read",
    execute: readWrite.read10,
  },
  "WRITE(10)": {
    opcode: 0x2a,
    usage: [0x2a, 0xf8, 0xff, 0xff, 0xff, 0xff, 0, 0xff, 0xff, CONTROL],
    ignores: ["forceUnitAccessNonVolatile", "groupNumber"],
    access: "writes",
    countsAs: "write",
    execute: readWrite.write10,
  },
  "WRITE AND VERIFY(10)": {
    opcode: 0x2e,
    usage: [0x2e, 0xf6, 0xff, 0xff, 0xff, 0xff, 0, 0xff, 0xff, CONTROL],
    ignores: ["groupNumber"],
    access: "writes",
    countsAs: "write",
    execute: writeAndVerify10,
  },
  "VERIFY(10)": {
    opcode: 0x2f,
    usage: [0x2f, 0xf6, 0xff, 0xff, 0xff, 0xff, 0, 0xff, 0xff, CONTROL],
    ignores: ["groupNumber"],
    access: "reads",
    execute: verify10,
  },
  "PRE-FETCH(10)": {
    opcode: 0x34,
    usage: [0x34, 0x02, 0xff, 0xff, 0xff, 0xff, 0, 0xff, 0xff, CONTROL],
    ignores: ["groupNumber"],
    access: "reads",
    execute: preFetch10,
  },
  "SYNCHRONIZE CACHE(10)": {
    opcode: 0x35,
    usage: [0x35, 0x02, 0xff, 0xff, 0xff, 0xff, 0, 0xff, 0xff, CONTROL],
    ignores: ["synchronizeNonVolatile", "groupNumber"],
    access: "synchronizes",
    execute: synchronizeCache10,
  },
  "READ DEFECT DATA(10)": {
    opcode: 0x37,
    usage: [0x37, 0, 0x1f, 0, 0, 0, 0, 0xff, 0xff, CONTROL],
    access: "inspects",
    execute: readDefectData10,
  },
  "WRITE SAME(10)": {
    opcode: 0x41,
    usage: [0x41, 0xf8, 0xff, 0xff, 0xff, 0xff, 0, 0xff, 0xff, CONTROL],
    ignores: ["groupNumber"],
    access: "writes",
    countsAs: "write",
    execute: writeSame10,
  },
  "UNMAP": {
    opcode: 0x42,
    usage: [0x42, 0x01, 0, 0, 0, 0, 0, 0xff, 0xff, CONTROL],
    ignores: ["groupNumber"],
    access: "writes",
    execute: unmapBlocks,
  },
  "SANITIZE OVERWRITE": {
    opcode: 0x48,
    serviceAction: 0x01,
    usage: [0x48, 0xa1, 0, 0, 0, 0, 0, 0xff, 0xff, CONTROL],
    access: "writes",
    isHeadOfQueue: true,
    execute: sanitizeOverwrite,
  },
  "SANITIZE BLOCK ERASE": {
    opcode: 0x48,
    serviceAction: 0x02,
    usage: [0x48, 0xa2, 0, 0, 0, 0, 0, 0xff, 0xff, CONTROL],
    access: "writes",
    isHeadOfQueue: true,
    execute: sanitizeBlockErase,
  },
  "SANITIZE EXIT FAILURE MODE": {
    opcode: 0x48,
    serviceAction: 0x1f,
    usage: [0x48, 0xbf, 0, 0, 0, 0, 0, 0xff, 0xff, CONTROL],
    access: "writes",
    isHeadOfQueue: true,
    execute: sanitizeExitFailureMode,
  },
  "READ(16)": {
    opcode: 0x88,
    usage: [0x88, 0xf8, ...ADDRESS_AND_LENGTH_16, 0, CONTROL],
    ignores: ["forceUnitAccessNonVolatile", "groupNumber"],
    access: "reads",
    countsAs: "read",
    execute: readWrite.read16,
  },
  "COMPARE AND WRITE": {
    opcode: 0x89,
    usage: [0x89, 0xf8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0xff, 0, CONTROL],
    ignores: ["forceUnitAccessNonVolatile", "groupNumber"],
    access: "writes",
    countsAs: "write",
    execute: compareAndWrite,
  },
  "WRITE(16)": {
    opcode: 0x8a,
    usage: [0x8a, 0xf8, ...ADDRESS_AND_LENGTH_16, 0, CONTROL],
    ignores: ["forceUnitAccessNonVolatile", "groupNumber"],
    access: "writes",
    countsAs: "write",
    execute: readWrite.write16,
  },
  "ORWRITE(16)": {
    opcode: 0x8b,
    usage: [0x8b, 0xf8, ...ADDRESS_AND_LENGTH_16, 0, CONTROL],
    ignores: ["forceUnitAccessNonVolatile", "groupNumber"],
    access: "writes",
    countsAs: "write",
    execute: orWrite16,
  },
  "WRITE AND VERIFY(16)": {
    opcode: 0x8e,
    usage: [0x8e, 0xf6, ...ADDRESS_AND_LENGTH_16, 0, CONTROL],
    ignores: ["groupNumber"],
    access: "writes",
    countsAs: "write",
    execute: writeAndVerify16,
  },
  "VERIFY(16)": {
    opcode: 0x8f,
    usage: [0x8f, 0xf6, ...ADDRESS_AND_LENGTH_16, 0, CONTROL],
    ignores: ["groupNumber"],
    access: "reads",
    execute: verify16,
  },
  "PRE-FETCH(16)": {
    opcode: 0x90,
    usage: [0x90, 0x02, ...ADDRESS_AND_LENGTH_16, 0, CONTROL],
    ignores: ["groupNumber"],
    access: "reads",
    execute: preFetch16,
  },
  "SYNCHRONIZE CACHE(16)": {
    opcode: 0x91,
    usage: [0x91, 0x02, ...ADDRESS_AND_LENGTH_16, 0, CONTROL],
    ignores: ["synchronizeNonVolatile", "groupNumber"],
    access: "synchronizes",
    execute: synchronizeCache16,
  },
  "WRITE SAME(16)": {
    opcode: 0x93,
    usage: [0x93, 0xf9, ...ADDRESS_AND_LENGTH_16, 0, CONTROL],
    ignores: ["groupNumber"],
    access: "writes",
    countsAs: "write",
    execute: writeSame16,
  },
  "WRITE ATOMIC(16)": {
    opcode: 0x9c,
    usage: [0x9c, 0xf8, ...ADDRESS_AND_LENGTH_16, 0, CONTROL],
    ignores: ["groupNumber"],
    access: "writes",
    countsAs: "write",
    execute: writeAtomic16,
  },
  "READ CAPACITY(16)": {
    opcode: 0x9e,
    serviceAction: 0x10,
    usage: [0x9e, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, CONTROL],
    access: "identifies",
    isHeadOfQueue: true,
    execute: readCapacity16,
  },
  "GET LBA STATUS": {
    opcode: 0x9e,
    serviceAction: 0x12,
    usage: [0x9e, 0x12, ...ADDRESS_AND_LENGTH_16, 0, CONTROL],
    access: "reads",
    execute: getLbaStatus,
  },
  "READ(12)": {
    opcode: 0xa8,
    usage: [0xa8, 0xf8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, CONTROL],
    ignores: ["forceUnitAccessNonVolatile", "groupNumber"],
    access: "reads",
    countsAs: "read",
    execute: readWrite.read12,
  },
  "WRITE(12)": {
    opcode: 0xaa,
    usage: [0xaa, 0xf8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, CONTROL],
    ignores: ["forceUnitAccessNonVolatile", "groupNumber"],
    access: "writes",
    countsAs: "write",
    execute: readWrite.write12,
  },
  "WRITE AND VERIFY(12)": {
    opcode: 0xae,
    usage: [0xae, 0xf6, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, CONTROL],
    ignores: ["groupNumber"],
    access: "writes",
    countsAs: "write",
    execute: writeAndVerify12,
  },
  "VERIFY(12)": {
    opcode: 0xaf,
    usage: [0xaf, 0xf6, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, CONTROL],
    ignores: ["groupNumber"],
    access: "reads",
    execute: verify12,
  },
  "READ DEFECT DATA(12)": {
    opcode: 0xb7,
    usage: [0xb7, 0x1f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, CONTROL],
    access: "inspects",
    execute: readDefectData12,
  },
};
