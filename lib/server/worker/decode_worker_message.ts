/**
 * Decoders for the messages of a target worker. The worker parses every byte that initiators send, so its messages are
 * not trusted: each is checked here before it is used.
 */
import { type Consequence, CONSEQUENCES } from "../../config/config_difference.ts";
import type { ReportedChange, TouchedSession } from "../../control/reported_change.ts";
import type { ServedSnapshot, UnitProblem } from "../../control/unit_problem.ts";
import type {
  InitiatorPort,
  RegistrationFigures,
  UnitReservations,
} from "../../control/unit_reservations.ts";
import type { NegotiatedParameters } from "../../iscsi/negotiation/negotiation.ts";
import type {
  InitiatorSnapshot,
  LogicalUnitSnapshot,
  TargetSnapshot,
} from "../../iscsi/node/node_snapshot.ts";
import { type RefusalFigures, type RepeatedRefusal } from "../../iscsi/node/refusals.ts";
import { COMMAND_FAILURES } from "../../scsi/outcome/command_failure.ts";
import type { Identity } from "../../scsi/identity.ts";
import type { NexusReservation } from "../../scsi/nexus.ts";
import type { SpaceFigures } from "../../scsi/pages/provisioning.ts";
import { RESERVATION_TYPES, type ReservationType } from "../../scsi/reservations/reservation_types.ts";
import { STORAGE_FAULTS, type StorageFaultFigures } from "../../scsi/medium/storage_faults.ts";
import type { TrimFigures } from "../../scsi/medium/trimmer.ts";
import type { TrafficFigures, TransferFigures } from "../../scsi/counters/traffic.ts";
import type { ByteRange } from "../../store/byte_range.ts";
import { logEvent, portal } from "../common_decoders.ts";
import {
  boolean,
  count,
  type Decoder,
  eachOf,
  listOf,
  nothing,
  number,
  oneOf,
  optional,
  orNull,
  path,
  record,
  someOf,
  text,
  unchecked,
  variants,
  within,
} from "../decoder.ts";
import type { FromWorker } from "./messages.ts";
import type { Answers, Reconfigured } from "./worker_requests.ts";
import { REFUSAL_REASONS } from "../../iscsi/events/refusal_reason.ts";
import type { ConnectionSnapshot, SessionSnapshot } from "../../iscsi/session/session_snapshot.ts";

const transfers = record<TransferFigures>({
  commands: count,
  bytes: count,
  latencies: record({ counts: listOf(count), totalMs: number }),
});

const traffic = record<TrafficFigures>({
  reads: transfers,
  writes: transfers,
  otherCommands: count,
  unmappedBytes: count,
  failures: someOf(COMMAND_FAILURES, count),
});

const identity = record<Identity>({ naa: text, serialNumber: text });

const space = record<SpaceFigures>({ usedBytes: count, availableBytes: count });

const faults = record<StorageFaultFigures>({
  counts: someOf(STORAGE_FAULTS, count),
  last: orNull(record({ kind: oneOf(STORAGE_FAULTS), reason: text, atMs: number })),
});

const trim = record<TrimFigures>({
  sizeBytes: count,
  examinedBytes: count,
  releasedBytes: count,
  busyBytes: count,
});

const problem = record<UnitProblem>({
  target: text,
  lun: count,
  path,
  sizeBytes: count,
  isListed: boolean,
  reason: text,
});

const logicalUnit = record<LogicalUnitSnapshot>({
  lun: count,
  path,
  identity,
  promisedBytes: count,
  blockSizeBytes: count,
  writeProtected: boolean,
  isAbsent: boolean,
  space: orNull(space),
  traffic,
  faults,
  trim: orNull(trim),
});

const target = record<TargetSnapshot>({
  name: text,
  iscsiName: text,
  comment: text,
  logicalUnits: listOf(logicalUnit),
});

const parameters = record<NegotiatedParameters>({
  maxConnections: count,
  initialR2T: boolean,
  immediateData: boolean,
  maxBurstLength: count,
  firstBurstLength: count,
  maxOutstandingR2T: count,
  defaultTime2Wait: count,
  defaultTime2Retain: count,
  protocolLevel: count,
  initiatorMaxRecvDataSegmentLength: count,
  headerDigest: boolean,
  dataDigest: boolean,
});

const connection = record<ConnectionSnapshot>({
  localAddress: text,
  localPort: count,
  peerAddress: text,
  cid: count,
  parameters,
});

const reservationTypes = Object.keys(RESERVATION_TYPES) as ReservationType[];

const session = record<SessionSnapshot>({
  tsih: count,
  isid: text,
  initiatorName: text,
  targetName: orNull(text),
  beganAtMs: number,
  connections: listOf(connection),
  reservations: listOf(record<NexusReservation>({
    lun: count,
    isRegistered: boolean,
    holds: orNull(oneOf([...reservationTypes, "reserve"])),
  })),
  traffic: orNull(traffic),
});

const initiator = record<InitiatorSnapshot>({
  initiatorName: text,
  targetName: text,
  sessions: count,
  traffic,
});

const refusals = record<RefusalFigures>({
  totals: eachOf(REFUSAL_REASONS, count),
  recent: listOf(record<RepeatedRefusal>({
    peerAddress: text,
    initiatorName: orNull(text),
    targetName: orNull(text),
    reason: oneOf(REFUSAL_REASONS),
    rule: text,
    count,
    firstAtMs: number,
    lastAtMs: number,
  })),
});

const snapshot = record<ServedSnapshot>({
  sessions: listOf(session),
  targets: listOf(target),
  initiators: listOf(initiator),
  connectionsInLogin: count,
  limits: record({ sessions: count, connections: count }),
  refusals,
  problems: listOf(problem),
});

const changes = listOf(record<ReportedChange>({
  description: text,
  consequence: oneOf(Object.keys(CONSEQUENCES) as Consequence[]),
  sessions: listOf(record<TouchedSession>({ initiator: text, address: text, target: text })),
}));

const unitReservations = record<UnitReservations>({
  target: text,
  targetName: text,
  lun: count,
  areKnown: boolean,
  generation: count,
  persists: boolean,
  registrations: listOf(record<RegistrationFigures>({
    initiatorName: text,
    isid: text,
    key: text,
    holds: boolean,
    isLoggedIn: boolean,
  })),
  type: orNull(oneOf(reservationTypes)),
  reservedBy: orNull(record<InitiatorPort>({ initiatorName: text, isid: text })),
});

/** The decoder of the answer to each request. */
const ANSWERS: { readonly [Kind in keyof Answers]: Decoder<Answers[Kind]> } = {
  ping: nothing,
  snapshot,
  disconnect: listOf(count),
  reservations: listOf(unitReservations),
  clearReservations: nothing,
  hold: nothing,
  unhold: boolean,
  beginCopy: nothing,
  copyEnded: orNull(text),
  endCopy: orNull(text),
  trim,
  withdraw: nothing,
  readmit: nothing,
  trimProgress: orNull(trim),
  cancelTrim: nothing,
  preview: changes,
  reconfigure: record<Reconfigured>({ changes, addresses: listOf(portal), faults: listOf(text) }),
};

/**
 * Decodes the answer to a request.
 *
 * @throws {MalformedValue} when it is invalid
 */
export function decodeAnswer<Kind extends keyof Answers>(kind: Kind, answer: unknown): Answers[Kind] {
  return within(kind, ANSWERS[kind], answer);
}

/** An answer, still to be decoded according to its request, or a fault. */
export interface UncheckedAnswer {
  readonly kind: "answered";
  readonly id: number;
  readonly answer?: unknown;
  readonly fault?: string;
}

/** A message of a worker, in which only an answer is not decoded yet. See `decodeAnswer`. */
export type WorkerMessage = Exclude<FromWorker, { readonly kind: "answered" }> | UncheckedAnswer;

/**
 * Decodes a message of a worker.
 *
 * @throws {MalformedValue} when it is invalid
 */
export const decodeWorkerMessage: Decoder<WorkerMessage> = variants<WorkerMessage>({
  log: record({ kind: oneOf(["log"]), event: logEvent }),
  listening: record({ kind: oneOf(["listening"]), address: text, port: count }),
  ready: record({ kind: oneOf(["ready"]), faults: listOf(text) }),
  punch: record({
    kind: oneOf(["punch"]),
    id: count,
    path,
    ranges: listOf(record<ByteRange>({ offset: count, lengthBytes: count })),
  }),
  closed: record({ kind: oneOf(["closed"]), path }),
  faulty: record({ kind: oneOf(["faulty"]), path }),
  failedLogin: record({ kind: oneOf(["failedLogin"]), peerAddress: text }),
  numbered: record({ kind: oneOf(["numbered"]), number: count, path }),
  answered: record<UncheckedAnswer>({
    kind: oneOf(["answered"]),
    id: count,
    answer: optional(unchecked),
    fault: optional(text),
  }),
  ending: record({ kind: oneOf(["ending"]), files: listOf(text) }),
  stopped: record({ kind: oneOf(["stopped"]) }),
  failed: record({ kind: oneOf(["failed"]), message: text }),
  crashed: record({ kind: oneOf(["crashed"]), message: text }),
});
