/**
 * EXTENDED COPY(LID1) (SPC-4, 6.4) and the commands that report on copies: RECEIVE COPY STATUS(LID1), RECEIVE COPY
 * FAILURE DETAILS(LID1) and RECEIVE COPY OPERATING PARAMETERS (6.24, 6.26, 6.27; in SPC-3 service actions of RECEIVE
 * COPY RESULTS).
 *
 * An initiator can copy between logical units to which it is logged in, and to which its proof of identity on this
 * connection would admit it. Each unit is accessed under its own reservations and write protection.
 */
import { writeUint16, writeUint32 } from "../../bytes/big_endian.ts";
import { CopyJob, type ResolvedCscd } from "../copy/copy_job.ts";
import { CopyDescriptor, CopyLimits, DESCRIPTOR_LIST_LENGTH_MAX_BYTES } from "../copy/copy_limits.ts";
import {
  COPY_HEADER_LENGTH_BYTES,
  type Cscd,
  ListIdUsage,
  parseCopyRequest,
} from "../copy/copy_parameters.ts";
import type { CopyProgress } from "../copy/copy_records.ts";
import { GRANULARITY_EXPONENT } from "../copy/third_party_copy_page.ts";
import { bytesOf, type CdbFields, readField, refuseField } from "../dispatch/cdb_field.ts";
import { finished, FINISHED_GOOD, refused, refusedForParameter } from "../outcome/finished.ts";
import type { ItlNexus } from "../itl_nexus.ts";
import type { Finished, Later, Operation } from "../outcome/operation.ts";
import { GOOD } from "../outcome/outcome.ts";
import { sendParameterData } from "../pages/parameter_data.ts";
import { takeParameterList } from "../pages/parameter_list.ts";
import { Sense } from "../outcome/sense.ts";
import { Status } from "../outcome/status.ts";

/** The field of EXTENDED COPY(LID1). */
export const EXTENDED_COPY_FIELDS: CdbFields<"listLength"> = { listLength: bytesOf(10, 4) };

/** The field of RECEIVE COPY OPERATING PARAMETERS. */
export const RECEIVE_COPY_PARAMETERS_FIELDS: CdbFields<"allocationLength"> = {
  allocationLength: bytesOf(10, 4),
};

/** The fields of RECEIVE COPY STATUS(LID1) and RECEIVE COPY FAILURE DETAILS(LID1). */
export const RECEIVE_COPY_FIELDS: CdbFields<"listId" | "allocationLength"> = {
  listId: bytesOf(2, 1),
  ...RECEIVE_COPY_PARAMETERS_FIELDS,
};

/** EXTENDED COPY(LID1). */
export function extendedCopy(
  nexus: ItlNexus,
  cdb: Uint8Array,
  fields: typeof EXTENDED_COPY_FIELDS,
): Operation {
  const lengthBytes = readField(cdb, fields.listLength);
  if (lengthBytes === 0) return FINISHED_GOOD;
  if (lengthBytes > COPY_HEADER_LENGTH_BYTES + DESCRIPTOR_LIST_LENGTH_MAX_BYTES) {
    return refused(Sense.parameterListLengthError);
  }
  return takeParameterList(lengthBytes, (list) => startCopy(nexus, list));
}

function startCopy(nexus: ItlNexus, list: Uint8Array): Operation {
  const request = parseCopyRequest(list);
  if ("kind" in request) return request;
  const { listId, listIdUsage, segments } = request;
  const isListed = listIdUsage !== ListIdUsage.disabled;
  const { copyRecords } = nexus;
  const namesake = isListed ? copyRecords.find(listId) : undefined;
  if (namesake !== undefined && namesake.outcome === undefined) return refused(Sense.operationInProgress);
  if (copyRecords.underWayCount >= CopyLimits.concurrentCopies) {
    return finished({ status: Status.busy, sense: undefined });
  }
  const cscds: ResolvedCscd[] = [];
  for (const cscd of request.cscds) {
    const resolved = resolve(nexus, cscd);
    if ("kind" in resolved) return resolved;
    cscds.push(resolved);
  }
  const progress = copyRecords.begin(isListed ? listId : undefined);
  return runJob(nexus, new CopyJob(cscds, segments, progress), progress, () => {
    if (listIdUsage === ListIdUsage.discard) copyRecords.forget(listId);
  });
}

function runJob(nexus: ItlNexus, job: CopyJob, progress: CopyProgress, ended: () => void): Later {
  const operation = job.run().then((outcome) => {
    nexus.copyRecords.end(progress, outcome);
    ended();
    return finished(outcome);
  });
  return { kind: "later", operation, cancel: () => job.cancel() };
}

/** Finds the logical unit of a CSCD, whose block length must match the descriptor. */
function resolve(nexus: ItlNexus, cscd: Cscd): ResolvedCscd | Finished {
  const reached = cscd.naa === undefined ? undefined : nexus.reach(cscd.naa);
  const isAsDescribed = reached === undefined || !cscd.isBlockDevice ||
    cscd.blockLength === reached.logicalUnit.blockSizeBytes;
  return isAsDescribed ? { ...cscd, nexus: reached } : refusedForParameter(cscd.offset + 29);
}

/** COPY MANAGER STATUS. */
const CopyManagerStatus = { inProgress: 0x00, completed: 0x01, completedWithErrors: 0x02 } as const;

function copyManagerStatus({ outcome }: CopyProgress): number {
  if (outcome === undefined) return CopyManagerStatus.inProgress;
  return outcome === GOOD ? CopyManagerStatus.completed : CopyManagerStatus.completedWithErrors;
}

/** The highest value of TRANSFER COUNT. */
const TRANSFER_COUNT_MAX = 0xffff_ffff;

/** Returns the first of TRANSFER COUNT UNITS 00h, 01h ... (bytes, KiB, MiB, GiB) in which the count fits. */
function transferCount(bytes: number): { readonly units: number; readonly count: number } {
  for (let units = 0, count = bytes;; units++, count = Math.floor(count / 1024)) {
    if (count <= TRANSFER_COUNT_MAX) return { units, count };
  }
}

/**
 * RECEIVE COPY STATUS(LID1). Removes the record of a copy that has completed.
 *
 * ```text
 *  0-3 | AVAILABLE DATA
 *    4 | COPY MANAGER STATUS; HDD 0: there is no held data
 *  5-6 | SEGMENTS PROCESSED
 *    7 | TRANSFER COUNT UNITS
 * 8-11 | TRANSFER COUNT
 * ```
 */
export function receiveCopyStatus(
  { copyRecords }: ItlNexus,
  cdb: Uint8Array,
  fields: typeof RECEIVE_COPY_FIELDS,
): Operation {
  const listId = readField(cdb, fields.listId);
  const progress = copyRecords.find(listId);
  if (progress === undefined) return refuseField(fields.listId);
  const data = new Uint8Array(12);
  const { units, count } = transferCount(progress.bytesWritten);
  writeUint32(data, 0, data.length - 4);
  data[4] = copyManagerStatus(progress);
  writeUint16(data, 5, progress.segmentsProcessed);
  data[7] = units;
  writeUint32(data, 8, count);
  // The record of a failed copy stays until its details are requested.
  if (progress.outcome === GOOD) copyRecords.forget(listId);
  return sendParameterData(data, readField(cdb, fields.allocationLength));
}

const FAILURE_DETAILS_LENGTH_BYTES = 60;

/**
 * RECEIVE COPY FAILURE DETAILS(LID1). Removes the record of the copy when all details were sent, or with an allocation
 * length of zero.
 *
 * ```text
 *   0-3 | AVAILABLE DATA, zero if no copy with this list identifier has failed
 *    56 | EXTENDED COPY COMMAND STATUS
 * 58-59 | SENSE DATA LENGTH
 *   60- | sense data
 * ```
 */
export function receiveCopyFailureDetails(
  { copyRecords }: ItlNexus,
  cdb: Uint8Array,
  fields: typeof RECEIVE_COPY_FIELDS,
): Operation {
  const listId = readField(cdb, fields.listId);
  const allocationLength = readField(cdb, fields.allocationLength);
  const outcome = copyRecords.find(listId)?.outcome;
  if (outcome === undefined || outcome === GOOD) {
    return sendParameterData(new Uint8Array(4), allocationLength);
  }
  const sense = outcome.sense ?? new Uint8Array();
  const data = new Uint8Array(FAILURE_DETAILS_LENGTH_BYTES + sense.length);
  writeUint32(data, 0, data.length - 4);
  data[56] = outcome.status;
  writeUint16(data, 58, sense.length);
  data.set(sense, FAILURE_DETAILS_LENGTH_BYTES);
  if (allocationLength === 0 || allocationLength >= data.length) copyRecords.forget(listId);
  return sendParameterData(data, allocationLength);
}

/** SNLID in byte 4: a list identifier is optional. */
const SNLID = 0x01;

/**
 * RECEIVE COPY OPERATING PARAMETERS. Inline data and held data are not supported; the length of a segment is unlimited.
 *
 * ```text
 *   0-3 | AVAILABLE DATA
 *     4 | SNLID
 *   8-9 | MAXIMUM CSCD DESCRIPTOR COUNT
 * 10-11 | MAXIMUM SEGMENT DESCRIPTOR COUNT
 * 12-15 | MAXIMUM DESCRIPTOR LIST LENGTH
 * 34-35 | TOTAL CONCURRENT COPIES
 *    36 | MAXIMUM CONCURRENT COPIES
 *    37 | DATA SEGMENT GRANULARITY
 *    43 | IMPLEMENTED DESCRIPTOR LIST LENGTH
 *   44- | type codes of the descriptors
 * ```
 */
export function receiveCopyOperatingParameters(
  _nexus: ItlNexus,
  cdb: Uint8Array,
  fields: typeof RECEIVE_COPY_PARAMETERS_FIELDS,
): Operation {
  const types = Object.values(CopyDescriptor).map(({ type }) => type);
  const data = new Uint8Array(44 + types.length);
  writeUint32(data, 0, data.length - 4);
  data[4] = SNLID;
  writeUint16(data, 8, CopyLimits.cscdDescriptors);
  writeUint16(data, 10, CopyLimits.segmentDescriptors);
  writeUint32(data, 12, DESCRIPTOR_LIST_LENGTH_MAX_BYTES);
  writeUint16(data, 34, CopyLimits.concurrentCopies);
  data[36] = CopyLimits.concurrentCopies;
  data[37] = GRANULARITY_EXPONENT;
  data[43] = types.length;
  data.set(types, 44);
  return sendParameterData(data, readField(cdb, fields.allocationLength));
}
