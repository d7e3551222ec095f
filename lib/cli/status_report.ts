/**
 * The report of `iscsi status`, made from two answers of a server, or from the conf and the disk where none runs. Its
 * fields are those of `--json`, and must not change.
 */
import type { NetworkPaths } from "../access/target_portals.ts";
import type { Config } from "../config/config.ts";
import { serialNumberOf } from "../config/disk.ts";
import type {
  CopyStatus,
  FileSystemSpace,
  ServerStatus,
  SpaceReport,
  WorkerStatus,
} from "../control/server_status.ts";
import type { UnitProblem } from "../control/unit_problem.ts";
import type { LogicalUnitSnapshot } from "../iscsi/node/node_snapshot.ts";
import {
  STORAGE_FAULTS,
  type StorageFault,
  type StorageFaultFigures,
} from "../scsi/medium/storage_faults.ts";
import type { TrimFigures } from "../scsi/medium/trimmer.ts";
import type { TrafficFigures } from "../scsi/counters/traffic.ts";
import { ratesBetween, type TrafficRates } from "./traffic_rates.ts";
import type { RefusalReason } from "../iscsi/events/refusal_reason.ts";
import type { SessionSnapshot } from "../iscsi/session/session_snapshot.ts";

/** The status of a server. */
export interface StatusReport {
  /** Null when none runs. */
  readonly server: ServerReport | null;
  readonly storage: string;
  /** Dangers of the conf, as sentences. */
  readonly warnings: readonly string[];
  /** The interval of the rates; null without rates. */
  readonly intervalSeconds: number | null;
  readonly targets: readonly TargetReport[];
  readonly fileSystems: readonly FileSystemSpace[];
  /** The copies that are being made. */
  readonly copies: readonly CopyStatus[];
  readonly sessions: readonly SessionReport[];
  /** Null when no server runs. */
  readonly refusals: RefusalsReport | null;
}

/** The server process. */
export interface ServerReport {
  readonly version: string;
  readonly pid: number;
  readonly uptimeSeconds: number;
  /** `address:port`. */
  readonly portals: readonly string[];
  /** The target workers, one for each port. */
  readonly workers: readonly WorkerStatus[];
  /** The limits of the conf; null while the target worker starts. */
  readonly limits: { readonly sessions: number; readonly connections: number } | null;
}

/** A target. */
export interface TargetReport {
  readonly name: string;
  readonly iscsiName: string;
  readonly comment: string;
  /** The portals that discovery reports, by network; null where no server runs. */
  readonly paths: readonly NetworkPaths[] | null;
  readonly logicalUnits: readonly LogicalUnitReport[];
}

/** A LUN. */
export interface LogicalUnitReport {
  readonly lun: number;
  readonly path: string;
  /** The identity; null where only a server knows it. */
  readonly naa: string | null;
  readonly serialNumber: string | null;
  readonly readOnly: boolean;
  readonly promisedBytes: number;
  readonly allocatedBytes: number | null;
  readonly growthBytesPerDay: number | null;
  readonly traffic: TrafficReport | null;
  /** Null where no server runs. */
  readonly storageFailures: StorageFailuresReport | null;
  /** The reason why it is not served; null when it is, or when no server runs. */
  readonly problem: string | null;
  /** The progress of a trim; null when none runs. */
  readonly trim: TrimFigures | null;
}

/** The failures of a LUN's storage since it was opened. */
export interface StorageFailuresReport extends Readonly<Record<StorageFault, number>> {
  /** Null when there was none. */
  readonly last: { readonly kind: StorageFault; readonly reason: string; readonly time: string } | null;
}

/** The traffic since the LUN was opened or the session began, and the rates of the interval. */
export interface TrafficReport {
  readonly readCommands: number;
  readonly readBytes: number;
  readonly writeCommands: number;
  readonly writeBytes: number;
  readonly otherCommands: number;
  readonly unmappedBytes: number;
  readonly failures: TrafficFigures["failures"];
  /** Null in a first report. */
  readonly rates: TrafficRates | null;
}

/** A session. */
export interface SessionReport {
  /** The target session identifying handle. */
  readonly session: number;
  readonly isid: string;
  readonly initiatorName: string;
  /** Null for a discovery session. */
  readonly targetName: string | null;
  readonly since: string;
  readonly connections: SessionSnapshot["connections"];
  readonly reservations: SessionSnapshot["reservations"];
  readonly traffic: TrafficReport | null;
}

/** The refused connections and logins. */
export interface RefusalsReport {
  readonly totals: Readonly<Record<RefusalReason, number>>;
  /** Newest first; equal ones are merged. */
  readonly recent: readonly RefusalReport[];
}

/** A refused peer, and the rule that refused. */
export interface RefusalReport {
  readonly peerAddress: string;
  readonly initiatorName: string | null;
  readonly targetName: string | null;
  readonly reason: RefusalReason;
  readonly rule: string;
  readonly count: number;
  readonly first: string;
  readonly last: string;
}

/**
 * Makes the report of a running server.
 *
 * @param before an earlier answer; without it there are no rates
 */
export function reportServer(before: ServerStatus | undefined, now: ServerStatus): StatusReport {
  const { version, pid, uptimeSeconds, portals, workers, paths, storage, warnings, space, copies, node } =
    now;
  const seconds = before !== undefined && before.pid === pid
    ? (now.monotonicMs - before.monotonicMs) / 1000
    : 0;
  const earlier = seconds > 0 ? before?.node ?? undefined : undefined;
  const problems = node?.problems ?? [];
  const unitsBefore = earlier?.targets.flatMap(({ logicalUnits }) => logicalUnits) ?? [];
  return {
    server: { version, pid, uptimeSeconds, portals, workers, limits: node?.limits ?? null },
    storage,
    warnings,
    intervalSeconds: earlier === undefined ? null : seconds,
    targets: (node?.targets ?? []).map(({ name, iscsiName, comment, logicalUnits }) => ({
      name,
      iscsiName,
      comment,
      paths: paths.find(({ target }) => target === name)?.networks ?? [],
      logicalUnits: [
        ...logicalUnits.map((unit) => {
          const same = unitsBefore.find(({ identity }) => identity.naa === unit.identity.naa);
          const traffic = reportTraffic(same?.traffic, unit.traffic, seconds);
          const problem = problems.find(({ target, lun }) => target === name && lun === unit.lun);
          return reportUnit(unit, space, { traffic, problem: problem?.reason ?? null });
        }),
        ...problems.filter(({ target, isListed }) => target === name && !isListed)
          .map((problem) => reportUnlisted(problem, space)),
      ].sort((a, b) => a.lun - b.lun),
    })),
    fileSystems: space.fileSystems,
    copies,
    sessions: (node?.sessions ?? []).map((session) => {
      const same = earlier?.sessions.find(({ tsih, beganAtMs }) =>
        tsih === session.tsih && beganAtMs === session.beganAtMs
      );
      return reportSession(session, same, seconds);
    }),
    refusals: node === null ? null : {
      totals: node.refusals.totals,
      recent: node.refusals.recent.map(({ firstAtMs, lastAtMs, ...refusal }) => ({
        ...refusal,
        first: formatTime(firstAtMs),
        last: formatTime(lastAtMs),
      })),
    },
  };
}

/** Makes the report of a conf and its disk, where no server runs. */
export function reportDisk(
  { storage, targets }: Config,
  space: SpaceReport,
  warnings: readonly string[],
): StatusReport {
  return {
    server: null,
    storage,
    warnings,
    intervalSeconds: null,
    targets: targets.map(({ name, iscsiName, comment, readOnly, disk, logicalUnits }) => ({
      name,
      iscsiName,
      comment,
      paths: null,
      logicalUnits: logicalUnits.map(({ number, path, sizeBytes, naa = null }) => ({
        lun: number,
        path,
        naa,
        serialNumber: serialNumberOf(disk, number) ?? null,
        readOnly,
        promisedBytes: sizeBytes,
        ...spaceOf(path, space),
        traffic: null,
        storageFailures: null,
        problem: null,
        trim: null,
      })),
    })),
    fileSystems: space.fileSystems,
    copies: [],
    sessions: [],
    refusals: null,
  };
}

function reportUnit(
  { lun, path, identity, promisedBytes, writeProtected, faults, trim }: LogicalUnitSnapshot,
  space: SpaceReport,
  state: Pick<LogicalUnitReport, "traffic" | "problem">,
): LogicalUnitReport {
  const { naa, serialNumber } = identity;
  return {
    lun,
    path,
    naa,
    serialNumber,
    readOnly: writeProtected,
    promisedBytes,
    ...spaceOf(path, space),
    ...state,
    storageFailures: reportFaults(faults),
    trim,
  };
}

/** Reports a LUN of the conf that initiators cannot see. */
function reportUnlisted(
  { lun, path, sizeBytes, reason }: UnitProblem,
  space: SpaceReport,
): LogicalUnitReport {
  return {
    lun,
    path,
    naa: null,
    serialNumber: null,
    readOnly: false,
    promisedBytes: sizeBytes,
    ...spaceOf(path, space),
    traffic: null,
    storageFailures: null,
    problem: reason,
    trim: null,
  };
}

function reportFaults({ counts, last }: StorageFaultFigures): StorageFailuresReport {
  const numbers = STORAGE_FAULTS.map((kind) => [kind, counts[kind] ?? 0] as const);
  return {
    ...Object.fromEntries(numbers) as Record<StorageFault, number>,
    last: last && { kind: last.kind, reason: last.reason, time: formatTime(last.atMs) },
  };
}

function spaceOf(
  path: string,
  { files }: SpaceReport,
): Pick<LogicalUnitReport, "allocatedBytes" | "growthBytesPerDay"> {
  const file = files.find((file) => file.path === path);
  return {
    allocatedBytes: file?.allocatedBytes ?? null,
    growthBytesPerDay: file?.growthBytesPerDay ?? null,
  };
}

function reportSession(
  { tsih, isid, initiatorName, targetName, beganAtMs, connections, reservations, traffic }: SessionSnapshot,
  before: SessionSnapshot | undefined,
  seconds: number,
): SessionReport {
  return {
    session: tsih,
    isid,
    initiatorName,
    targetName,
    since: formatTime(beganAtMs),
    connections,
    reservations,
    traffic: traffic === null ? null : reportTraffic(before?.traffic ?? undefined, traffic, seconds),
  };
}

function reportTraffic(
  before: TrafficFigures | undefined,
  figures: TrafficFigures,
  seconds: number,
): TrafficReport {
  const { reads, writes, otherCommands, unmappedBytes, failures } = figures;
  return {
    readCommands: reads.commands,
    readBytes: reads.bytes,
    writeCommands: writes.commands,
    writeBytes: writes.bytes,
    otherCommands,
    unmappedBytes,
    failures,
    rates: seconds > 0 ? ratesBetween(before, figures, seconds) : null,
  };
}

function formatTime(atMs: number): string {
  return new Date(atMs).toISOString();
}
