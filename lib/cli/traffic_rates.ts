import type { TrafficFigures, TransferFigures } from "../scsi/traffic.ts";

/** What went on in a second of an interval, on average. */
export interface Rates {
  readonly commandsPerSecond: number;
  readonly bytesPerSecond: number;
  /** How long a command took; null when there was none. */
  readonly meanLatencyMs: number | null;
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
  // Counters begin anew with a new target worker.
  const base = before !== undefined && commandsOf(before) <= commandsOf(after) ? before : undefined;
  const reads = difference(base?.reads, after.reads);
  const writes = difference(base?.writes, after.writes);
  const others = after.otherCommands - (base?.otherCommands ?? 0);
  const total = {
    commands: reads.commands + writes.commands + others,
    bytes: reads.bytes + writes.bytes,
    timed: reads.timed + writes.timed,
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
  /** Commands of which it is known how long they took, and that together. */
  readonly timed: number;
  readonly totalMs: number;
}

function commandsOf({ reads, writes, otherCommands }: TrafficFigures): number {
  return reads.commands + writes.commands + otherCommands;
}

function difference(before: TransferFigures | undefined, after: TransferFigures): Happened {
  return {
    commands: after.commands - (before?.commands ?? 0),
    bytes: after.bytes - (before?.bytes ?? 0),
    timed: timedOf(after) - timedOf(before),
    totalMs: after.latencies.totalMs - (before?.latencies.totalMs ?? 0),
  };
}

function timedOf(figures: TransferFigures | undefined): number {
  return figures?.latencies.counts.reduce((sum, count) => sum + count, 0) ?? 0;
}

function perSecond({ commands, bytes, timed, totalMs }: Happened, seconds: number): Rates {
  return {
    commandsPerSecond: commands / seconds,
    bytesPerSecond: bytes / seconds,
    meanLatencyMs: timed === 0 ? null : totalMs / timed,
  };
}
