/** The metrics of the server. */
import type { LogicalUnitSnapshot, NodeSnapshot } from "../iscsi/node/node_snapshot.ts";
import type { SpaceFigures } from "../scsi/pages/provisioning.ts";
import type { Family, Labels } from "./exposition.ts";
import { STORAGE_FAULTS } from "../scsi/medium/storage_faults.ts";
import { snakeCase, trafficFamilies } from "./traffic_metrics.ts";
import { REFUSAL_REASONS } from "../iscsi/events/refusal_reason.ts";

/** The figures from which the metrics are made. */
export interface ServerFigures {
  /** Null while no target worker runs, briefly after a crash. */
  readonly node: NodeSnapshot | null;
  /** Space by the path of the backing file. */
  readonly space: ReadonlyMap<string, SpaceFigures>;
  /** The copies that are being made, and the bytes that all copies have read. */
  readonly copies: { readonly count: number; readonly bytes: number };
  /** The trims that run, and the bytes that all trims have examined and given back. */
  readonly trims: { readonly count: number; readonly examinedBytes: number; readonly releasedBytes: number };
  /** The target worker of each port, and whether it runs and answers. */
  readonly workers: readonly { readonly port: number; readonly isUp: boolean }[];
  /** The number of target workers started. */
  readonly workerStarts: number;
  readonly versions: Readonly<Record<"version" | "deno", string>>;
  readonly process: {
    readonly cpuSeconds: number;
    readonly residentBytes: number;
    /** Seconds since 1970. */
    readonly startSeconds: number;
  };
}

/** A logical unit with its labels. */
interface LabelledUnit {
  readonly unit: LogicalUnitSnapshot;
  readonly labels: Labels;
}

/** Returns all metrics of a server. */
export function serverFamilies(figures: ServerFigures): Family[] {
  const { node, space, copies, trims, workers, workerStarts, versions } = figures;
  return [
    gauge("iscsi_build_info", "Versions of the server.", 1, versions),
    gauge("iscsi_target_worker_up", "Whether a target worker runs.", node === null ? 0 : 1),
    {
      name: "iscsi_worker_up",
      type: "gauge",
      help: "Whether the target worker of a port answers.",
      samples: workers.map(({ port, isUp }) => ({ labels: { port: String(port) }, value: isUp ? 1 : 0 })),
    },
    counter("iscsi_target_worker_starts_total", "Starts of target workers.", workerStarts),
    gauge("iscsi_copies", "Copies of LUNs that are being made.", copies.count),
    counter("iscsi_copied_bytes_total", "Bytes that copies of LUNs have passed.", copies.bytes),
    gauge("iscsi_trims", "Trims of LUNs that run.", trims.count),
    counter(
      "iscsi_trim_examined_bytes_total",
      "Bytes that trims of LUNs have examined.",
      trims.examinedBytes,
    ),
    counter(
      "iscsi_trim_released_bytes_total",
      "Bytes of zeros that trims of LUNs have given back.",
      trims.releasedBytes,
    ),
    ...(node === null ? [] : nodeFamilies(node, space)),
    ...processFamilies(figures.process),
  ];
}

function nodeFamilies(node: NodeSnapshot, space: ServerFigures["space"]): Family[] {
  const units = node.targets.flatMap(({ name, logicalUnits }) =>
    logicalUnits.map((unit): LabelledUnit => ({ unit, labels: { target: name, lun: String(unit.lun) } }))
  );
  return [
    ...sessionFamilies(node),
    refusals(node),
    ...spaceFamilies(units, space),
    ...stateFamilies(units),
    ...trafficFamilies("iscsi_lun", units.map(({ unit: { traffic }, labels }) => ({ labels, traffic }))),
    ...initiatorFamilies(node),
  ];
}

function sessionFamilies({ sessions, connectionsInLogin, limits }: NodeSnapshot): Family[] {
  const normal = sessions.filter(({ targetName }) => targetName !== null);
  const connections = normal.reduce((sum, session) => sum + session.connections.length, 0);
  const discoveries = sessions.length - normal.length;
  return [
    gauge("iscsi_sessions", "Sessions with targets.", normal.length),
    gauge("iscsi_sessions_limit", "Limit of sessions with targets.", limits.sessions),
    gauge("iscsi_connections", "Connections of sessions with targets.", connections),
    gauge("iscsi_connections_limit", "Limit of connections of sessions with targets.", limits.connections),
    gauge("iscsi_discovery_sessions", "Discovery sessions.", discoveries),
    gauge("iscsi_logins", "Connections in the login phase.", connectionsInLogin),
  ];
}

function refusals({ refusals: { totals } }: NodeSnapshot): Family {
  return {
    name: "iscsi_refusals_total",
    type: "counter",
    help: "Refused connections and logins, by reason.",
    samples: REFUSAL_REASONS.map((reason) => ({ labels: { reason }, value: totals[reason] })),
  };
}

function spaceFamilies(units: readonly LabelledUnit[], space: ServerFigures["space"]): Family[] {
  const measured = units.flatMap(({ unit, labels }) => {
    const figures = space.get(unit.path);
    return figures === undefined ? [] : [{ labels, ...figures }];
  });
  return [
    {
      name: "iscsi_lun_info",
      type: "gauge",
      help: "Identity of the logical unit.",
      samples: units.map(({ unit: { identity: { naa, serialNumber } }, labels }) => ({
        labels: { ...labels, naa, serial_number: serialNumber },
        value: 1,
      })),
    },
    {
      name: "iscsi_lun_size_bytes",
      type: "gauge",
      help: "Size of the logical unit.",
      samples: units.map(({ unit: { promisedBytes }, labels }) => ({ labels, value: promisedBytes })),
    },
    {
      name: "iscsi_lun_allocated_bytes",
      type: "gauge",
      help: "Space allocated to the backing file.",
      samples: measured.map(({ usedBytes, labels }) => ({ labels, value: usedBytes })),
    },
    {
      name: "iscsi_lun_available_bytes",
      type: "gauge",
      help: "Space available on the file system of the backing file.",
      samples: measured.map(({ availableBytes, labels }) => ({ labels, value: availableBytes })),
    },
  ];
}

function stateFamilies(units: readonly LabelledUnit[]): Family[] {
  return [
    {
      name: "iscsi_lun_up",
      type: "gauge",
      help: "Whether the logical unit is served.",
      samples: units.map(({ unit: { isAbsent }, labels }) => ({ labels, value: isAbsent ? 0 : 1 })),
    },
    {
      name: "iscsi_lun_storage_failures_total",
      type: "counter",
      help: "Storage failures of the logical unit, by kind.",
      samples: units.flatMap(({ unit: { faults: { counts } }, labels }) =>
        STORAGE_FAULTS.map((kind) => ({
          labels: { ...labels, kind: snakeCase(kind) },
          value: counts[kind] ?? 0,
        }))
      ),
    },
  ];
}

function initiatorFamilies({ initiators, targets }: NodeSnapshot): Family[] {
  const names = new Map(targets.map(({ name, iscsiName }) => [iscsiName, name]));
  const labelled = initiators.map(({ initiatorName, targetName, sessions, traffic }) => ({
    labels: { initiator: initiatorName, target: names.get(targetName) ?? targetName },
    sessions,
    traffic,
  }));
  return [
    {
      name: "iscsi_initiator_sessions",
      type: "gauge",
      help: "Sessions of an initiator with a target.",
      samples: labelled.map(({ labels, sessions }) => ({ labels, value: sessions })),
    },
    ...trafficFamilies("iscsi_initiator", labelled),
  ];
}

function processFamilies({ cpuSeconds, residentBytes, startSeconds }: ServerFigures["process"]): Family[] {
  return [
    counter("process_cpu_seconds_total", "Processor time of the server, user and system.", cpuSeconds),
    gauge("process_resident_memory_bytes", "Memory of the server.", residentBytes),
    gauge("process_start_time_seconds", "Start time of the server, in seconds since 1970.", startSeconds),
  ];
}

function gauge(name: string, help: string, value: number, labels: Labels = {}): Family {
  return { name, type: "gauge", help, samples: [{ labels, value }] };
}

function counter(name: string, help: string, value: number): Family {
  return { name, type: "counter", help, samples: [{ labels: {}, value }] };
}
