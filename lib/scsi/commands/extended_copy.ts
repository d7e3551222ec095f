/**
 * EXTENDED COPY(LID1) (SPC-4, 6.4) and the commands that ask how a copy went and what copies there can be: RECEIVE COPY
 * STATUS(LID1), RECEIVE COPY FAILURE DETAILS(LID1) and RECEIVE COPY OPERATING PARAMETERS (6.24, 6.26, 6.27; in SPC-3
 * service actions of RECEIVE COPY RESULTS).
 *
 * An initiator can copy between the logical units that it is logged in to and may be logged in to over the connection
 * on which it asks. Each is accessed under its own reservations and write protection.
 */
import { readUint32, writeUint16, writeUint32 } from "../../bytes/big_endian.ts";
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
import {
  finished,
  FINISHED_GOOD,
  refused,
  refusedForField,
  refusedForParameter,
} from "../outcome/finished.ts";
import type { ItlNexus } from "../itl_nexus.ts";
import type { Finished, Later, Operation } from "../outcome/operation.ts";
import { GOOD } from "../outcome/outcome.ts";
import { sendParameterData } from "../pages/parameter_data.ts";
import { takeParameterList } from "../pages/parameter_list.ts";
import { Sense } from "../outcome/sense.ts";
import { Status } from "../outcome/status.ts";

/** The allocation length, or the parameter list length, of all of them. */
const LENGTH_BYTE = 10;
const LIST_ID_BYTE = 2;

/** EXTENDED COPY(LID1). */
export function extendedCopy(nexus: ItlNexus, cdb: Uint8Array): Operation {
  const lengthBytes = readUint32(cdb, LENGTH_BYTE);
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

/** Finds the logical unit of a CSCD; its block length must be what the descriptor says. */
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

/** Most that TRANSFER COUNT can say. */
const TRANSFER_COUNT_MAX = 0xffff_ffff;

/** TRANSFER COUNT UNITS 00h, 01h ...: bytes, KiB, MiB, GiB. The first of them in which the count fits. */
function transferCount(bytes: number): { readonly units: number; readonly count: number } {
  for (let units = 0, count = bytes;; units++, count = Math.floor(count / 1024)) {
    if (count <= TRANSFER_COUNT_MAX) return { units, count };
  }
}

/**
 * RECEIVE COPY STATUS(LID1), which ends what is known of a copy that is over.
 *
 * ```text
 *  0-3 | AVAILABLE DATA
 *    4 | COPY MANAGER STATUS; nothing is held for later (HDD 0)
 *  5-6 | SEGMENTS PROCESSED
 *    7 | TRANSFER COUNT UNITS
 * 8-11 | TRANSFER COUNT
 * ```
 */
export function receiveCopyStatus({ copyRecords }: ItlNexus, cdb: Uint8Array): Operation {
  const listId = cdb[LIST_ID_BYTE]!;
  const progress = copyRecords.find(listId);
  if (progress === undefined) return refusedForField(LIST_ID_BYTE);
  const data = new Uint8Array(12);
  const { units, count } = transferCount(progress.bytesWritten);
  writeUint32(data, 0, data.length - 4);
  data[4] = copyManagerStatus(progress);
  writeUint16(data, 5, progress.segmentsProcessed);
  data[7] = units;
  writeUint32(data, 8, count);
  // How a copy failed is kept until somebody asks for the details.
  if (progress.outcome === GOOD) copyRecords.forget(listId);
  return sendParameterData(data, readUint32(cdb, LENGTH_BYTE));
}

const FAILURE_DETAILS_LENGTH_BYTES = 60;

/**
 * RECEIVE COPY FAILURE DETAILS(LID1), which ends what is known of the copy once all of it has been sent, or with an
 * allocation length of zero.
 *
 * ```text
 *   0-3 | AVAILABLE DATA, zero if no copy with this list identifier has failed
 *    56 | EXTENDED COPY COMMAND STATUS
 * 58-59 | SENSE DATA LENGTH
 *   60- | sense data
 * ```
 */
export function receiveCopyFailureDetails({ copyRecords }: ItlNexus, cdb: Uint8Array): Operation {
  const listId = cdb[LIST_ID_BYTE]!;
  const allocationLength = readUint32(cdb, LENGTH_BYTE);
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

/** SNLID in byte 4: a copy can do without a list identifier. */
const SNLID = 0x01;

/**
 * RECEIVE COPY OPERATING PARAMETERS. There is neither inline data nor held data, and no limit to a segment's length.
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
export function receiveCopyOperatingParameters(_nexus: ItlNexus, cdb: Uint8Array): Operation {
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
  return sendParameterData(data, readUint32(cdb, LENGTH_BYTE));
}
