/**
 * Sense data (SPC-4, 4.5), in the fixed format that CHECK CONDITION carries (4.5.3):
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
import { writeUint16, writeUint32 } from "../../bytes/big_endian.ts";

/** Sense keys (SPC-4, 4.5). */
export const SenseKey = {
  noSense: 0x0,
  notReady: 0x2,
  mediumError: 0x3,
  hardwareError: 0x4,
  illegalRequest: 0x5,
  unitAttention: 0x6,
  dataProtect: 0x7,
  copyAborted: 0xa,
  abortedCommand: 0xb,
  miscompare: 0xe,
} as const;

/** One of the values of `SenseKey`. */
export type SenseKey = typeof SenseKey[keyof typeof SenseKey];

/** A sense key with an additional sense code and its qualifier: a named condition. */
export interface SenseCondition {
  readonly key: SenseKey;
  /** ADDITIONAL SENSE CODE in the upper byte, ADDITIONAL SENSE CODE QUALIFIER in the lower (SPC-4, annex F.2). */
  readonly code: number;
  /** It reports a command that had already completed with GOOD (SPC-4, 4.5). */
  readonly deferred?: true;
}

/** The conditions that this target reports, by their names in SPC-4. */
export const Sense = {
  noAdditionalSenseInformation: { key: SenseKey.noSense, code: 0x0000 },
  mediumNotPresent: { key: SenseKey.notReady, code: 0x3a00 },
  becomingReady: { key: SenseKey.notReady, code: 0x0401 },
  initializingCommandRequired: { key: SenseKey.notReady, code: 0x0402 },
  manualInterventionRequired: { key: SenseKey.notReady, code: 0x0403 },
  formatInProgress: { key: SenseKey.notReady, code: 0x0404 },
  sanitizeInProgress: { key: SenseKey.notReady, code: 0x041b },
  writeError: { key: SenseKey.mediumError, code: 0x0c00 },
  deferredWriteError: { key: SenseKey.mediumError, code: 0x0c00, deferred: true },
  unrecoveredReadError: { key: SenseKey.mediumError, code: 0x1100 },
  mediumFormatCorrupted: { key: SenseKey.mediumError, code: 0x3100 },
  formatCommandFailed: { key: SenseKey.mediumError, code: 0x3101 },
  logicalUnitFailedSelfTest: { key: SenseKey.hardwareError, code: 0x3e03 },
  operationInProgress: { key: SenseKey.illegalRequest, code: 0x0016 },
  sanitizeCommandFailed: { key: SenseKey.mediumError, code: 0x3103 },
  invalidFieldInCommandInformationUnit: { key: SenseKey.illegalRequest, code: 0x0e03 },
  parameterListLengthError: { key: SenseKey.illegalRequest, code: 0x1a00 },
  invalidCommandOperationCode: { key: SenseKey.illegalRequest, code: 0x2000 },
  logicalBlockAddressOutOfRange: { key: SenseKey.illegalRequest, code: 0x2100 },
  invalidFieldInCdb: { key: SenseKey.illegalRequest, code: 0x2400 },
  logicalUnitNotSupported: { key: SenseKey.illegalRequest, code: 0x2500 },
  invalidFieldInParameterList: { key: SenseKey.illegalRequest, code: 0x2600 },
  invalidReleaseOfPersistentReservation: { key: SenseKey.illegalRequest, code: 0x2604 },
  insufficientRegistrationResources: { key: SenseKey.illegalRequest, code: 0x5504 },
  invalidMessageError: { key: SenseKey.illegalRequest, code: 0x4900 },
  mediumRemovalPrevented: { key: SenseKey.illegalRequest, code: 0x5302 },
  notReadyToReadyChange: { key: SenseKey.unitAttention, code: 0x2800 },
  tooManyTargetDescriptors: { key: SenseKey.illegalRequest, code: 0x2606 },
  unsupportedTargetDescriptorTypeCode: { key: SenseKey.illegalRequest, code: 0x2607 },
  tooManySegmentDescriptors: { key: SenseKey.illegalRequest, code: 0x2608 },
  unsupportedSegmentDescriptorTypeCode: { key: SenseKey.illegalRequest, code: 0x2609 },
  inlineDataLengthExceeded: { key: SenseKey.illegalRequest, code: 0x260b },
  savingParametersNotSupported: { key: SenseKey.illegalRequest, code: 0x3900 },
  powerOnResetOrBusDeviceResetOccurred: { key: SenseKey.unitAttention, code: 0x2900 },
  powerOnOccurred: { key: SenseKey.unitAttention, code: 0x2901 },
  scsiBusResetOccurred: { key: SenseKey.unitAttention, code: 0x2902 },
  busDeviceResetFunctionOccurred: { key: SenseKey.unitAttention, code: 0x2903 },
  nexusLossOccurred: { key: SenseKey.unitAttention, code: 0x2907 },
  reservationsPreempted: { key: SenseKey.unitAttention, code: 0x2a03 },
  reservationsReleased: { key: SenseKey.unitAttention, code: 0x2a04 },
  registrationsPreempted: { key: SenseKey.unitAttention, code: 0x2a05 },
  modeParametersChanged: { key: SenseKey.unitAttention, code: 0x2a01 },
  capacityDataHasChanged: { key: SenseKey.unitAttention, code: 0x2a09 },
  commandsClearedByAnotherInitiator: { key: SenseKey.unitAttention, code: 0x2f00 },
  commandsClearedByProtocolEvent: { key: SenseKey.unitAttention, code: 0x477f },
  inquiryDataHasChanged: { key: SenseKey.unitAttention, code: 0x3f03 },
  reportedLunsDataHasChanged: { key: SenseKey.unitAttention, code: 0x3f0e },
  thinProvisioningSoftThresholdReached: { key: SenseKey.unitAttention, code: 0x3807 },
  writeProtected: { key: SenseKey.dataProtect, code: 0x2700 },
  logicalUnitSoftwareWriteProtected: { key: SenseKey.dataProtect, code: 0x2702 },
  spaceAllocationFailedWriteProtect: { key: SenseKey.dataProtect, code: 0x2707 },
  copyAborted: { key: SenseKey.copyAborted, code: 0x0000 },
  unreachableCopyTarget: { key: SenseKey.copyAborted, code: 0x0804 },
  thirdPartyDeviceFailure: { key: SenseKey.copyAborted, code: 0x0d01 },
  copyTargetDeviceNotReachable: { key: SenseKey.copyAborted, code: 0x0d02 },
  incorrectCopyTargetDeviceType: { key: SenseKey.copyAborted, code: 0x0d03 },
  unexpectedInexactSegment: { key: SenseKey.copyAborted, code: 0x260a },
  writeErrorUnexpectedUnsolicitedData: { key: SenseKey.abortedCommand, code: 0x0c0c },
  writeErrorNotEnoughUnsolicitedData: { key: SenseKey.abortedCommand, code: 0x0c0d },
  readErrorFailedRetransmissionRequest: { key: SenseKey.abortedCommand, code: 0x1113 },
  commandsClearedByDeviceServer: { key: SenseKey.abortedCommand, code: 0x2f02 },
  protocolServiceCrcError: { key: SenseKey.abortedCommand, code: 0x4705 },
  initiatorResponseTimeout: { key: SenseKey.abortedCommand, code: 0x4b06 },
  miscompareDuringVerifyOperation: { key: SenseKey.miscompare, code: 0x1d00 },
} as const satisfies Record<string, SenseCondition>;

const FIXED_LENGTH_BYTES = 18;

/** Response code of current errors (SPC-4, 4.5); the next one is that of deferred errors. */
const RESPONSE_CODE_FIXED = 0x70;

/** VALID in byte 0: INFORMATION in bytes 3-6 has the meaning that the standard of the command gives it. */
const VALID = 0x80;
const SKSV = 0x80;
const COMMAND_NOT_DATA = 0x40;
const BIT_POINTER_VALID = 0x08;

/** The field that a command is refused for: its first byte and, if known, its highest bit. */
export interface FieldPointer {
  readonly byte: number;
  readonly bit?: number | undefined;
  /** The field belongs to the parameter list, not to the CDB. */
  readonly inParameterList?: boolean;
}

/** Encodes sense data in fixed format. */
export function encodeSense(condition: SenseCondition, field?: FieldPointer): Uint8Array<ArrayBuffer> {
  const sense = new Uint8Array(FIXED_LENGTH_BYTES);
  sense[0] = RESPONSE_CODE_FIXED + (condition.deferred ? 1 : 0);
  sense[2] = condition.key;
  sense[7] = FIXED_LENGTH_BYTES - 8;
  writeUint16(sense, 12, condition.code);
  if (field !== undefined) {
    const inData = field.inParameterList === true;
    sense[15] = SKSV | (inData ? 0 : COMMAND_NOT_DATA) |
      (field.bit === undefined ? 0 : BIT_POINTER_VALID | field.bit);
    writeUint16(sense, 16, field.byte);
  }
  return sense;
}

/** Encodes sense data in fixed format with INFORMATION, a number below 2^32. */
export function encodeSenseWithInformation(
  condition: SenseCondition,
  information: number,
): Uint8Array<ArrayBuffer> {
  const sense = encodeSense(condition);
  sense[0]! |= VALID;
  writeUint32(sense, 3, information);
  return sense;
}
