import { assertEquals } from "@std/assert";
import {
  checkCondition,
  finished,
  FINISHED_GOOD,
  refused,
  refusedForField,
} from "../../../lib/scsi/outcome/finished.ts";
import { GOOD } from "../../../lib/scsi/outcome/outcome.ts";
import { encodeSense, Sense, type SenseCondition } from "../../../lib/scsi/outcome/sense.ts";
import { assertHex, nameOfSense } from "../fixture.ts";

Deno.test("encodeSense() encodes fixed format", () => {
  assertHex(
    encodeSense(Sense.logicalBlockAddressOutOfRange),
    "70 00 05 00 00 00 00 0a 00 00 00 00 21 00 00 00 00 00",
  );
  assertHex(
    encodeSense(Sense.deferredWriteError),
    "71 00 03 00 00 00 00 0a 00 00 00 00 0c 00 00 00 00 00",
  );
});

Deno.test("encodeSense() points to a field of the CDB, and to a bit if it is known", () => {
  assertHex(
    encodeSense(Sense.invalidFieldInCdb, { byte: 10 }),
    "70 00 05 00 00 00 00 0a 00 00 00 00 24 00 00 c0 00 0a",
  );
  assertHex(
    encodeSense(Sense.invalidFieldInCdb, { byte: 1, bit: 7 }),
    "70 00 05 00 00 00 00 0a 00 00 00 00 24 00 00 cf 00 01",
  );
});

/** The sense key of each condition, and the additional sense code that SPC-4 (annex F) has for its name. */
const NUMBERS = {
  noAdditionalSenseInformation: "0/0000",
  mediumNotPresent: "2/3a00",
  initializingCommandRequired: "2/0402",
  manualInterventionRequired: "2/0403",
  formatInProgress: "2/0404",
  sanitizeInProgress: "2/041b",
  writeError: "3/0c00",
  deferredWriteError: "3/0c00",
  unrecoveredReadError: "3/1100",
  mediumFormatCorrupted: "3/3100",
  formatCommandFailed: "3/3101",
  logicalUnitFailedSelfTest: "4/3e03",
  operationInProgress: "5/0016",
  sanitizeCommandFailed: "3/3103",
  invalidFieldInCommandInformationUnit: "5/0e03",
  parameterListLengthError: "5/1a00",
  invalidCommandOperationCode: "5/2000",
  logicalBlockAddressOutOfRange: "5/2100",
  invalidFieldInCdb: "5/2400",
  logicalUnitNotSupported: "5/2500",
  invalidFieldInParameterList: "5/2600",
  invalidReleaseOfPersistentReservation: "5/2604",
  insufficientRegistrationResources: "5/5504",
  invalidMessageError: "5/4900",
  mediumRemovalPrevented: "5/5302",
  notReadyToReadyChange: "6/2800",
  tooManyTargetDescriptors: "5/2606",
  unsupportedTargetDescriptorTypeCode: "5/2607",
  tooManySegmentDescriptors: "5/2608",
  unsupportedSegmentDescriptorTypeCode: "5/2609",
  inlineDataLengthExceeded: "5/260b",
  savingParametersNotSupported: "5/3900",
  powerOnResetOrBusDeviceResetOccurred: "6/2900",
  powerOnOccurred: "6/2901",
  scsiBusResetOccurred: "6/2902",
  becomingReady: "2/0401",
  busDeviceResetFunctionOccurred: "6/2903",
  nexusLossOccurred: "6/2907",
  reservationsPreempted: "6/2a03",
  reservationsReleased: "6/2a04",
  registrationsPreempted: "6/2a05",
  modeParametersChanged: "6/2a01",
  capacityDataHasChanged: "6/2a09",
  commandsClearedByAnotherInitiator: "6/2f00",
  commandsClearedByProtocolEvent: "6/477f",
  inquiryDataHasChanged: "6/3f03",
  reportedLunsDataHasChanged: "6/3f0e",
  thinProvisioningSoftThresholdReached: "6/3807",
  writeProtected: "7/2700",
  logicalUnitSoftwareWriteProtected: "7/2702",
  spaceAllocationFailedWriteProtect: "7/2707",
  copyAborted: "a/0000",
  unreachableCopyTarget: "a/0804",
  thirdPartyDeviceFailure: "a/0d01",
  copyTargetDeviceNotReachable: "a/0d02",
  incorrectCopyTargetDeviceType: "a/0d03",
  unexpectedInexactSegment: "a/260a",
  writeErrorUnexpectedUnsolicitedData: "b/0c0c",
  writeErrorNotEnoughUnsolicitedData: "b/0c0d",
  commandsClearedByDeviceServer: "b/2f02",
  readErrorFailedRetransmissionRequest: "b/1113",
  protocolServiceCrcError: "b/4705",
  initiatorResponseTimeout: "b/4b06",
  miscompareDuringVerifyOperation: "e/1d00",
};

Deno.test("every condition in Sense has the numbers of SPC-4", () => {
  const numbers = Object.entries<SenseCondition>(Sense).map(([name, condition]) => {
    const [, , key, , , , , , , , , , code, qualifier] = encodeSense(condition);
    return [name, `${key!.toString(16)}/${Uint8Array.of(code!, qualifier!).toHex()}`];
  });
  assertEquals(Object.fromEntries(numbers), NUMBERS);
});

Deno.test("no two conditions in Sense look alike", () => {
  for (const [name, condition] of Object.entries<SenseCondition>(Sense)) {
    assertEquals(nameOfSense(encodeSense(condition)), name);
  }
});

Deno.test("finished() returns an outcome, and the same object for every good one", () => {
  assertEquals(finished(GOOD) === FINISHED_GOOD && FINISHED_GOOD.outcome === GOOD, true);
  const outcome = checkCondition(Sense.writeError);
  assertEquals(finished(outcome).outcome === outcome, true);
  assertEquals(refused(Sense.writeError).outcome, outcome);
  assertEquals(refusedForField(3).outcome.sense, encodeSense(Sense.invalidFieldInCdb, { byte: 3 }));
});
