/**
 * SEND DIAGNOSTIC (SPC-4, 6.42): the default self-test. There are neither self-tests with a code of their own, whose
 * results would be in a log page, nor diagnostic pages.
 */
import { bitsOf, bytesOf, isSet, readField, refuseField } from "../dispatch/cdb_field.ts";
import { checkCondition, FINISHED_GOOD, refused } from "../outcome/finished.ts";
import type { ItlNexus } from "../itl_nexus.ts";
import type { LogicalUnit } from "../logical_unit.ts";
import { finishLater } from "../medium/medium.ts";
import type { Operation } from "../outcome/operation.ts";
import { GOOD, type Outcome } from "../outcome/outcome.ts";
import { Sense } from "../outcome/sense.ts";
import { outcomeOfFailure } from "../medium/store_error_outcome.ts";

/** The fields of the CDB. `isDefaultSelfTest` is SELFTEST. */
export const SEND_DIAGNOSTIC_FIELDS = {
  selfTestCode: bitsOf(1, 0xe0),
  isDefaultSelfTest: bitsOf(1, 0x04),
  listLength: bytesOf(3, 2),
} as const;

/** Places of the medium that the self-test reads, the first and the last among them. */
const PLACES = 16;

/** Most bytes that it reads at each of them. */
const PIECE_BYTES = 4096;

/** Reads some blocks, spread over the medium, and makes written data durable. */
async function exercise(unit: LogicalUnit): Promise<void> {
  const sizeBytes = unit.capacityBlocks * unit.blockSizeBytes;
  const piece = new Uint8Array(Math.min(PIECE_BYTES, sizeBytes));
  const last = (sizeBytes - piece.length) / unit.blockSizeBytes;
  for (let place = 0; place < PLACES; place++) {
    const lba = Math.floor(last * place / (PLACES - 1));
    await unit.verifyingStore.read(lba * unit.blockSizeBytes, piece);
  }
  await unit.flush();
}

const FAILED = checkCondition(Sense.logicalUnitFailedSelfTest);

async function selfTest(unit: LogicalUnit): Promise<Outcome> {
  try {
    await exercise(unit);
    return GOOD;
  } catch (error) {
    // A bug is thrown again.
    outcomeOfFailure(error);
    return FAILED;
  }
}

/** SEND DIAGNOSTIC. */
export function sendDiagnostic(
  { logicalUnit: unit }: ItlNexus,
  cdb: Uint8Array,
  fields: typeof SEND_DIAGNOSTIC_FIELDS,
): Operation {
  if (isSet(cdb, fields.selfTestCode)) return refuseField(fields.selfTestCode);
  if (readField(cdb, fields.listLength) !== 0) return refuseField(fields.listLength);
  if (!isSet(cdb, fields.isDefaultSelfTest)) return FINISHED_GOOD;
  if (unit.isAbsent || unit.eraser.failure !== undefined) return { kind: "finished", outcome: FAILED };
  // An initiator has stopped the unit or ejected its medium: that is no failure.
  if (unit.notReady !== undefined) return refused(unit.notReady);
  return finishLater(selfTest(unit), { changesNothing: true });
}
