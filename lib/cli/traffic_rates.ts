import { latencyQuantileMs } from "../scsi/counters/latency_histogram.ts";
import type { TrafficFigures, TransferFigures } from "../scsi/counters/traffic.ts";

/** The averages of an interval. */
export interface Rates {
  readonly commandsPerSecond: number;
  readonly bytesPerSecond: number;
  /** The mean latency; null without commands. */
  readonly meanLatencyMs: number | null;
  /** The latency that half of the commands, and 99 of 100, do not exceed: estimates from a histogram. */
  readonly p50LatencyMs: number | null;
  readonly p99LatencyMs: number | null;
}

/** The rates of an interval. */
export interface TrafficRates {
  readonly reads: Rates;
  readonly writes: Rates;
  /** Reads and writes; the number of commands includes all others. */
  readonly total: Rates;
}

/**
 * Computes the rates between two moments.
 *
 * @param before undefined when there was no earlier look
 */
export function ratesBetween(
  before: TrafficFigures | undefined,
  after: TrafficFigures,
  seconds: number,
): TrafficRates {
  const base = before === undefined || hasRestarted(before, after) ? undefined : before;
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

/** The traffic of an interval. */
interface IntervalTraffic {
  readonly commands: number;
  readonly bytes: number;
  /** The timed commands in each class of the histogram, and the sum of their times. */
  readonly timed: readonly number[];
  readonly totalMs: number;
}

/** Returns true after a restart of the target worker: at least one counter has fallen. */
function hasRestarted(before: TrafficFigures, after: TrafficFigures): boolean {
  return after.reads.commands < before.reads.commands || after.writes.commands < before.writes.commands ||
    after.otherCommands < before.otherCommands;
}

function difference(before: TransferFigures | undefined, after: TransferFigures): IntervalTraffic {
  return {
    commands: after.commands - (before?.commands ?? 0),
    bytes: after.bytes - (before?.bytes ?? 0),
    timed: after.latencies.counts.map((count, index) => count - (before?.latencies.counts[index] ?? 0)),
    totalMs: after.latencies.totalMs - (before?.latencies.totalMs ?? 0),
  };
}

function perSecond({ commands, bytes, timed, totalMs }: IntervalTraffic, seconds: number): Rates {
  const count = timed.reduce((sum, count) => sum + count, 0);
  return {
    commandsPerSecond: commands / seconds,
    bytesPerSecond: bytes / seconds,
    meanLatencyMs: count === 0 ? null : totalMs / count,
    p50LatencyMs: latencyQuantileMs(timed, 0.5),
    p99LatencyMs: latencyQuantileMs(timed, 0.99),
  };
}
