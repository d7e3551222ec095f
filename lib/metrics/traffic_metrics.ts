import { COMMAND_FAILURES } from "../scsi/outcome/command_failure.ts";
import { LATENCY_BOUNDS_MS } from "../scsi/counters/latency_histogram.ts";
import type { TrafficFigures, TransferFigures } from "../scsi/counters/traffic.ts";
import { type Family, histogramSamples, type Labels, type Sample } from "./exposition.ts";

const LATENCY_BOUNDS_SECONDS = LATENCY_BOUNDS_MS.map((ms) => ms / 1000);

/** The traffic of a LUN or an initiator, with its labels. */
export interface LabelledTraffic {
  readonly labels: Labels;
  readonly traffic: TrafficFigures;
}

/** A metric of traffic: its name without prefix, and a function that returns its samples. */
interface Row {
  readonly name: string;
  readonly type: Family["type"];
  readonly help: string;
  readonly samples: (traffic: TrafficFigures, labels: Labels) => readonly Sample[];
}

/** The metrics of traffic, for LUNs and initiators. */
const ROWS: readonly Row[] = [
  {
    name: "commands_total",
    type: "counter",
    help: "Completed commands, by kind.",
    samples: ({ reads, writes, otherCommands }, labels) => [
      { labels: { ...labels, kind: "read" }, value: reads.commands },
      { labels: { ...labels, kind: "write" }, value: writes.commands },
      { labels: { ...labels, kind: "other" }, value: otherCommands },
    ],
  },
  {
    name: "failed_commands_total",
    type: "counter",
    help: "Failed commands, by reason.",
    samples: ({ failures }, labels) =>
      COMMAND_FAILURES.map((failure) => ({
        labels: { ...labels, reason: snakeCase(failure) },
        value: failures[failure] ?? 0,
      })),
  },
  counter("read_bytes_total", "Bytes read by initiators.", ({ reads }) => reads.bytes),
  counter(
    "written_bytes_total",
    "Bytes written by initiators.",
    ({ writes }) => writes.bytes,
  ),
  counter(
    "unmapped_bytes_total",
    "Bytes unmapped by initiators.",
    ({ unmappedBytes }) => unmappedBytes,
  ),
  latencies(
    "read_duration_seconds",
    "Seconds from the arrival of a read to its response.",
    ({ reads }) => reads,
  ),
  latencies(
    "write_duration_seconds",
    "Seconds from the arrival of a write to its response.",
    ({ writes }) => writes,
  ),
];

function counter(name: string, help: string, valueOf: (traffic: TrafficFigures) => number): Row {
  return { name, type: "counter", help, samples: (traffic, labels) => [{ labels, value: valueOf(traffic) }] };
}

function latencies(name: string, help: string, figuresOf: (traffic: TrafficFigures) => TransferFigures): Row {
  return {
    name,
    type: "histogram",
    help,
    samples: (traffic, labels) => {
      const { counts, totalMs } = figuresOf(traffic).latencies;
      return histogramSamples(labels, LATENCY_BOUNDS_SECONDS, { counts, sum: totalMs / 1000 });
    },
  };
}

/** Returns the traffic metrics of several LUNs or initiators, with a prefix such as `iscsi_lun`. */
export function trafficFamilies(prefix: string, all: readonly LabelledTraffic[]): Family[] {
  return ROWS.map(({ name, type, help, samples }) => ({
    name: `${prefix}_${name}`,
    type,
    help,
    samples: all.flatMap(({ labels, traffic }) => samples(traffic, labels)),
  }));
}

/** Converts a camelCase name to snake_case, for label values. */
export function snakeCase(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
