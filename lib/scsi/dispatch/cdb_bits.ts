/**
 * The bits of a CDB that a command reads, and those that it does not. The standards let the device server ignore the
 * latter. This one refuses them: an initiator that sets such a bit wants a feature that is not here, and would take
 * GOOD for it. The bits that may be set without effect are listed by name, each with the reason.
 */
import { bitsOf, bytesOf, type CdbField, type CdbFields } from "./cdb_field.ts";
import type { Bits } from "./set_bits.ts";

/** The fields that may be set without effect, by the length of the CDB. */
export const IGNORED_FIELDS = {
  /** FUA_NV asks for a non-volatile cache at least, if there is one (NV_SUP); otherwise the volatile one suffices. */
  forceUnitAccessNonVolatile: () => bitsOf(1, 0x02),
  /** SYNC_NV accepts a non-volatile cache; flushed data is on the medium. */
  synchronizeNonVolatile: () => bitsOf(1, 0x04),
  /** GROUP NUMBER (SBC-3, 4.22) selects a group of counters; GROUP_SUP is zero: there are no groups. */
  groupNumber: (cdbLength) => bitsOf(cdbLength === 10 ? 6 : cdbLength - 2, 0x1f),
  /** Initiators repeat the length of the parameter data (8) where other CDBs of 10 bytes have ALLOCATION LENGTH. */
  capacityLength: () => bitsOf(8, 0xfe),
  /**
   * FFMT 01b leaves the content of the blocks to the device server (SBC-4, 5.4): they are zero. INTERLEAVE of SCSI-2 is
   * in the same byte: old operating systems ask for consecutive blocks by 1.
   */
  fastFormat: () => bitsOf(4, 0x01),
  /**
   * PF is about a parameter list, of which SEND DIAGNOSTIC takes none. DEVOFFL and UNITOFFL permit effects on the
   * target and the medium that the self-test does not have.
   */
  selfTestPermissions: () => bitsOf(1, 0x13),
  /** SCOPE and TYPE, ignored by the service actions that neither reserve nor release (SPC-4, 6.16.1). */
  scopeAndType: () => bytesOf(2, 1),
} as const satisfies Readonly<Record<string, (cdbLength: number) => CdbField>>;

/** One of the fields that may be set without effect. */
export type IgnoredField = keyof typeof IGNORED_FIELDS;

/** CDB lengths by the three highest bits of the operation code (SPC-4, 4.2.5.1). */
const LENGTHS: readonly (number | undefined)[] = [6, 10, 10, undefined, 16, 12];

/** Bits 4-0 of byte 1. */
const SERVICE_ACTION = 0x1f;

/** NACA in CONTROL, the last byte of every CDB: it is read, and refused. */
const NACA = 0x04;

/** Bits 7-5 of byte 1, in which initiators of SCSI-2 repeat the logical unit number. */
const LUN_OF_SCSI_2 = 0xe0;

/** The part of a row that determines its usage data. */
interface CdbDescription {
  readonly opcode: number;
  readonly serviceAction?: number;
  readonly fields: CdbFields;
}

/** Returns the CDB usage data of a row. */
export function usageOf({ opcode, serviceAction = 0, fields }: CdbDescription): readonly number[] {
  const usage = new Uint8Array(LENGTHS[opcode >>> 5] ?? 0);
  for (const { byte, lengthBytes, mask } of Object.values(fields)) {
    usage[byte]! |= mask;
    usage.fill(0xff, byte + 1, byte + lengthBytes);
  }
  usage[0] = opcode;
  usage[1]! |= serviceAction;
  usage[usage.length - 1] = NACA;
  return [...usage];
}

/** The part of a row that determines the bits it refuses. */
interface Row {
  readonly serviceAction?: number;
  readonly usage: readonly number[];
  readonly ignores?: readonly IgnoredField[];
}

/** Reports whether SCSI-2 could know the command: such commands have no service action, and at most 12 bytes. */
function mayHoldLun({ serviceAction, usage }: Row): boolean {
  return serviceAction === undefined && usage.length <= 12 && (usage[1]! & LUN_OF_SCSI_2) === 0;
}

/** Returns the bits for which a command is refused, whatever the rest of its CDB. */
export function refusedBitsOf(row: Row): Bits {
  const { usage, ignores = [] } = row;
  const taken = Uint8Array.from(usage);
  // The operation code and the service action selected the row.
  taken[0] = 0xff;
  if (row.serviceAction !== undefined) taken[1]! |= SERVICE_ACTION;
  // CONTROL: NORMACA is zero, so NACA is refused (SAM-5, 5.2); LINK and FLAG are obsolete; no vendor bits are defined.
  taken[usage.length - 1] = 0;
  for (const name of ignores) {
    const { byte, mask } = IGNORED_FIELDS[name](usage.length);
    taken[byte]! |= mask;
  }
  if (mayHoldLun(row)) taken[1]! |= LUN_OF_SCSI_2;
  return [...taken].flatMap((mask, byte) => mask === 0xff ? [] : [byte, ~mask & 0xff]);
}
