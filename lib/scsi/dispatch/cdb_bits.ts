/**
 * The bits of a CDB that a command does not look at. The standards leave it to the device server to check them. This
 * one does: an initiator that sets such a bit wants something that is not here, and would take GOOD for it. The bits
 * that make no difference are listed by name, each with the reason.
 */
import type { Bits } from "./set_bits.ts";

/** Where a field of a CDB is. */
interface FieldBits {
  readonly byte: number;
  readonly mask: number;
}

/** The fields that may be set and make no difference, each by the length of the CDB. */
export const IGNORED_FIELDS = {
  /** FUA_NV asks for a non-volatile cache at least, if there is one (NV_SUP); else the volatile one will do. */
  forceUnitAccessNonVolatile: () => ({ byte: 1, mask: 0x02 }),
  /** SYNC_NV is content with a non-volatile cache; what is flushed is on the medium. */
  synchronizeNonVolatile: () => ({ byte: 1, mask: 0x04 }),
  /** GROUP NUMBER (SBC-3, 4.22) says under which number to count a command; GROUP_SUP, that nothing is counted so. */
  groupNumber: (cdbLength) => ({ byte: cdbLength === 10 ? 6 : cdbLength - 2, mask: 0x1f }),
  /** SCOPE and TYPE, which SPC-4 (6.16.1) has ignored where a service action reserves and releases nothing. */
  scopeAndType: () => ({ byte: 2, mask: 0xff }),
} as const satisfies Readonly<Record<string, (cdbLength: number) => FieldBits>>;

/** One of the fields that make no difference. */
export type IgnoredField = keyof typeof IGNORED_FIELDS;

/** Bits 7-5 of byte 1, in which initiators of SCSI-2 repeat the logical unit number. */
const LUN_OF_SCSI_2 = 0xe0;

/** What of a row of the command table matters here. */
interface Row {
  readonly serviceAction?: number;
  readonly usage: readonly number[];
  readonly ignores?: readonly IgnoredField[];
}

/** Commands that SCSI-2 could know have no service action, and no more than 12 bytes. */
function mayHoldLun({ serviceAction, usage }: Row): boolean {
  return serviceAction === undefined && usage.length <= 12 && (usage[1]! & LUN_OF_SCSI_2) === 0;
}

/** The bits for which a command is refused, whatever else it says. */
export function refusedBitsOf(
  row: Row,
): Bits {
  const { usage, ignores = [] } = row;
  const taken = Uint8Array.from(usage);
  // The operation code, and the service action, are how the row was found.
  taken[0] = 0xff;
  if (row.serviceAction !== undefined) taken[1]! |= 0x1f;
  // CONTROL: NACA asks for what NORMACA denies (SAM-5, 5.2), LINK and FLAG are obsolete, the vendor has no bits here.
  taken[usage.length - 1] = 0;
  for (const name of ignores) {
    const { byte, mask } = IGNORED_FIELDS[name](usage.length);
    taken[byte]! |= mask;
  }
  if (mayHoldLun(row)) taken[1]! |= LUN_OF_SCSI_2;
  return [...taken].flatMap((mask, byte) => mask === 0xff ? [] : [byte, ~mask & 0xff]);
}
