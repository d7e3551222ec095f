/**
 * Sense data as an initiator reads it (SPC-4, 4.5), for tests.
 */
import { readUint32, readUint64 } from "../../lib/bytes/big_endian.ts";

/** SCSI status codes (SAM-5, 5.3.1). */
export const ScsiStatus = {
  good: 0x00,
  checkCondition: 0x02,
  conditionMet: 0x04,
  busy: 0x08,
  reservationConflict: 0x18,
  taskSetFull: 0x28,
  taskAborted: 0x40,
} as const;

/** Sense keys (SPC-4, 4.5.6). */
export const SenseKey = {
  noSense: 0x0,
  recoveredError: 0x1,
  notReady: 0x2,
  mediumError: 0x3,
  hardwareError: 0x4,
  illegalRequest: 0x5,
  unitAttention: 0x6,
  dataProtect: 0x7,
  abortedCommand: 0xb,
  miscompare: 0xe,
} as const;

/** The fields of sense data. */
export interface Sense {
  readonly key: number;
  /** Additional sense code and qualifier as one number: 2900h for POWER ON, RESET, OR BUS DEVICE RESET OCCURRED. */
  readonly code: number;
  /** The INFORMATION field where it is valid. */
  readonly information: number | undefined;
  readonly raw: Uint8Array;
}

const FIXED_CURRENT = 0x70;
const DESCRIPTOR_CURRENT = 0x72;

/** Reads sense data in fixed or descriptor format. */
export function parseSense(raw: Uint8Array): Sense {
  const responseCode = raw[0]! & 0x7f;
  if (responseCode === DESCRIPTOR_CURRENT) {
    const hasInformation = raw[7]! >= 12 && raw[8] === 0;
    const information = hasInformation ? readUint64(raw, 12) : undefined;
    return { key: raw[1]! & 0x0f, code: raw[2]! << 8 | raw[3]!, information, raw };
  }
  if (responseCode !== FIXED_CURRENT) {
    throw new Error(`Cannot read sense data of format ${responseCode.toString(16)}h`);
  }
  const information = (raw[0]! & 0x80) !== 0 ? readUint32(raw, 3) : undefined;
  return { key: raw[2]! & 0x0f, code: raw[12]! << 8 | raw[13]!, information, raw };
}

/** Reads what follows CHECK CONDITION in a response's data segment: a length, then sense data (RFC 7143, 11.4.7). */
export function senseOfResponse(data: Uint8Array): Sense | undefined {
  if (data.length < 2) return undefined;
  const length = data[0]! << 8 | data[1]!;
  if (length > data.length - 2) throw new Error(`Sense data claims ${length} bytes of ${data.length - 2}`);
  return length === 0 ? undefined : parseSense(data.subarray(2, 2 + length));
}
