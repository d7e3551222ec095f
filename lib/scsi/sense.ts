/**
 * Sense data: why a command ended as it did (SPC-4, 4.5).
 *
 * Fixed format, as it travels with CHECK CONDITION (4.5.3):
 *
 * ```text
 *      0 | valid (0) | response code 70h, 71h for a deferred error
 *      2 | sense key
 *      7 | additional sense length: 10
 *  12-13 | additional sense code and qualifier
 *     15 | SKSV | C/D | BPV | bit pointer  } of a field pointer (4.5.2.4.2),
 *  16-17 | field pointer                   } with INVALID FIELD IN CDB
 * ```
 */
import { writeUint16 } from "../bytes/big_endian.ts";

/** Sense keys (SPC-4, 4.5). */
export const SenseKey = {
  noSense: 0x0,
  notReady: 0x2,
  mediumError: 0x3,
  illegalRequest: 0x5,
  unitAttention: 0x6,
  dataProtect: 0x7,
  abortedCommand: 0xb,
  miscompare: 0xe,
} as const;

/** One of the values of `SenseKey`. */
export type SenseKey = typeof SenseKey[keyof typeof SenseKey];

/** A sense key with an additional sense code and its qualifier: a condition that has a name. */
export interface SenseCondition {
  readonly key: SenseKey;
  /** ADDITIONAL SENSE CODE in the upper byte, ADDITIONAL SENSE CODE QUALIFIER in the lower (SPC-4, annex F.2). */
  readonly code: number;
  /** It tells of a command that had already ended with GOOD (SPC-4, 4.5). */
  readonly deferred?: true;
}

/** Every condition that this target reports, by its name in SPC-4. */
export const Sense = {
  noAdditionalSenseInformation: { key: SenseKey.noSense, code: 0x0000 },
  initializingCommandRequired: { key: SenseKey.notReady, code: 0x0402 },
  writeError: { key: SenseKey.mediumError, code: 0x0c00 },
  deferredWriteError: { key: SenseKey.mediumError, code: 0x0c00, deferred: true },
  unrecoveredReadError: { key: SenseKey.mediumError, code: 0x1100 },
  invalidFieldInCommandInformationUnit: { key: SenseKey.illegalRequest, code: 0x0e03 },
  invalidCommandOperationCode: { key: SenseKey.illegalRequest, code: 0x2000 },
  logicalBlockAddressOutOfRange: { key: SenseKey.illegalRequest, code: 0x2100 },
  invalidFieldInCdb: { key: SenseKey.illegalRequest, code: 0x2400 },
  logicalUnitNotSupported: { key: SenseKey.illegalRequest, code: 0x2500 },
  savingParametersNotSupported: { key: SenseKey.illegalRequest, code: 0x3900 },
  powerOnResetOrBusDeviceResetOccurred: { key: SenseKey.unitAttention, code: 0x2900 },
  powerOnOccurred: { key: SenseKey.unitAttention, code: 0x2901 },
  scsiBusResetOccurred: { key: SenseKey.unitAttention, code: 0x2902 },
  busDeviceResetFunctionOccurred: { key: SenseKey.unitAttention, code: 0x2903 },
  commandsClearedByAnotherInitiator: { key: SenseKey.unitAttention, code: 0x2f00 },
  writeProtected: { key: SenseKey.dataProtect, code: 0x2700 },
  spaceAllocationFailedWriteProtect: { key: SenseKey.dataProtect, code: 0x2707 },
  writeErrorUnexpectedUnsolicitedData: { key: SenseKey.abortedCommand, code: 0x0c0c },
  writeErrorNotEnoughUnsolicitedData: { key: SenseKey.abortedCommand, code: 0x0c0d },
  miscompareDuringVerifyOperation: { key: SenseKey.miscompare, code: 0x1d00 },
} as const satisfies Record<string, SenseCondition>;

const FIXED_LENGTH_BYTES = 18;
const DESCRIPTOR_HEADER_LENGTH_BYTES = 8;

/** Response codes (SPC-4, 4.5); each is followed by the one for deferred errors. */
const RESPONSE_CODE_FIXED = 0x70;
const RESPONSE_CODE_DESCRIPTOR = 0x72;

const SKSV = 0x80;
const COMMAND_NOT_DATA = 0x40;
const BIT_POINTER_VALID = 0x08;

/** The field of a CDB that a command is refused for: its first byte and, if it is known, its highest bit. */
export interface FieldPointer {
  readonly byte: number;
  readonly bit?: number | undefined;
}

/** Sense data in fixed format. */
export function encodeSense(condition: SenseCondition, field?: FieldPointer): Uint8Array<ArrayBuffer> {
  const sense = new Uint8Array(FIXED_LENGTH_BYTES);
  sense[0] = RESPONSE_CODE_FIXED + (condition.deferred ? 1 : 0);
  sense[2] = condition.key;
  sense[7] = FIXED_LENGTH_BYTES - 8;
  writeUint16(sense, 12, condition.code);
  if (field !== undefined) {
    sense[15] = SKSV | COMMAND_NOT_DATA | (field.bit === undefined ? 0 : BIT_POINTER_VALID | field.bit);
    writeUint16(sense, 16, field.byte);
  }
  return sense;
}

/** Sense data in descriptor format (SPC-4, 4.5.2), without descriptors: conditions alone have nothing to put there. */
export function encodeDescriptorSense(condition: SenseCondition): Uint8Array<ArrayBuffer> {
  const sense = new Uint8Array(DESCRIPTOR_HEADER_LENGTH_BYTES);
  sense[0] = RESPONSE_CODE_DESCRIPTOR + (condition.deferred ? 1 : 0);
  sense[1] = condition.key;
  writeUint16(sense, 2, condition.code);
  return sense;
}
