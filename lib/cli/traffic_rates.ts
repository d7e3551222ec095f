import { latencyQuantileMs } from "../scsi/counters/latency_histogram.ts";
import type { TrafficFigures, TransferFigures } from "../scsi/counters/traffic.ts";

/** What went on in a second of an interval, on average. */
export interface Rates {
  readonly commandsPerSecond: number;
  readonly bytesPerSecond: number;
  /** How long a command took; null when there was none. */
  readonly meanLatencyMs: number | null;
  /** How long half of them took at most, and 99 of 100; estimates, from the classes in which they are counted. */
  readonly p50LatencyMs: number | null;
  readonly p99LatencyMs: number | null;
}

/** The rates of an interval. */
export interface TrafficRates {
  readonly reads: Rates;
  readonly writes: Rates;
  /** Reads, writes and, in the number of commands, all others. */
  readonly total: Rates;
}

/**
 * The rates between two moments.
 *
 * @param before undefined when there was nothing yet
 */
export function ratesBetween(
  before: TrafficFigures | undefined,
  after: TrafficFigures,
  seconds: number,
): TrafficRates {
  const base = before === undefined || hasBegunAnew(before, after) ? undefined : before;
  const reads = difference(base?.reads, after.reads);
  const writes = difference(base?.writes, after.writes);
  const others = after.otherCommands - (base?.otherCommands ?? 0);
  const total = {
    commands: reads.commands + writes.commands + others,
    bytes: reads.bytes + writes.bytes,
    timed: reads.timed.map((count, index) => count + writes.timed[index]!),
    totalMs: reads.totalMs + writes.totalMs,
  };
  return {
    reads: perSecond(reads, seconds),
    writes: perSecond(writes, seconds),
    total: perSecond(total, seconds),
  };
}

/** What happened in an interval. */
interface Happened {
  readonly commands: number;
  readonly bytes: number;
  /** Commands of which it is known how long they took, in each class of latencies, and that together. */
  readonly timed: readonly number[];
  readonly totalMs: number;
}

/** Counters begin anew with a new target worker: then one of them has fallen, whatever their sum has done. */
function hasBegunAnew(before: TrafficFigures, after: TrafficFigures): boolean {
  return after.reads.commands < before.reads.commands || after.writes.commands < before.writes.commands ||
    after.otherCommands < before.otherCommands;
}

function difference(before: TransferFigures | undefined, after: TransferFigures): Happened {
  return {
    commands: after.commands - (before?.commands ?? 0),
    bytes: after.bytes - (before?.bytes ?? 0),
    timed: after.latencies.counts.map((count, index) => count - (before?.latencies.counts[index] ?? 0)),
    totalMs: after.latencies.totalMs - (before?.latencies.totalMs ?? 0),
  };
}

function perSecond({ commands, bytes, timed, totalMs }: Happened, seconds: number): Rates {
  const count = timed.reduce((sum, count) => sum + count, 0);
  return {
    commandsPerSecond: commands / seconds,
    bytesPerSecond: bytes / seconds,
    meanLatencyMs: count === 0 ? null : totalMs / count,
    p50LatencyMs: latencyQuantileMs(timed, 0.5),
    p99LatencyMs: latencyQuantileMs(timed, 0.99),
  };
}
