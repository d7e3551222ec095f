/**
 * Counters of the traffic between one initiator port and one logical unit: commands, bytes, latencies and failures.
 *
 * Each command is counted once, here. The totals of a session are the sums over its logical units; those of a logical
 * unit are the sums over all nexuses that have used it. Counting a command takes a few additions.
 */
import { COMMAND_FAILURES, type CommandFailure } from "../outcome/command_failure.ts";
import { type Latencies, LatencyHistogram } from "./latency_histogram.ts";

/** The counters of reads, or of writes. */
export interface TransferFigures {
  /** Completed commands, with any status. */
  readonly commands: number;
  /** Bytes transferred between initiator and target. */
  readonly bytes: number;
  /** From the arrival of a command until its response is queued. */
  readonly latencies: Latencies;
}

/** The counters of `Traffic`. */
export interface TrafficFigures {
  readonly reads: TransferFigures;
  readonly writes: TransferFigures;
  readonly otherCommands: number;
  /** Bytes that UNMAP and WRITE SAME have deallocated, or zeroed where the store cannot deallocate. */
  readonly unmappedBytes: number;
  /** Failures that have occurred; the others are absent. */
  readonly failures: Partial<Readonly<Record<CommandFailure, number>>>;
}

/** The kinds of commands that are counted separately, as array indexes. */
export const CommandKind = { read: 0, write: 1, other: 2 } as const;

/** One of the values of `CommandKind`. */
export type CommandKind = typeof CommandKind[keyof typeof CommandKind];

const KINDS = Object.values(CommandKind);
/** Kinds of commands whose latency is measured. */
const TIMED_KINDS = [CommandKind.read, CommandKind.write] as const;

/** The traffic of one I_T_L nexus. */
export class Traffic {
  readonly #commands = new Float64Array(KINDS.length);
  readonly #bytes = new Float64Array(KINDS.length);
  /** Completed commands whose latency is not known yet. */
  readonly #untimed = new Float64Array(KINDS.length);
  /** Indexed by `CommandKind`. */
  readonly #latencies = TIMED_KINDS.map(() => new LatencyHistogram());
  readonly #failures = new Map<CommandFailure, number>();
  #unmappedBytes = 0;

  /** Counts a completed command; the next call of `took` gives its latency. */
  answered(kind: CommandKind, bytes: number): void {
    this.#commands[kind]! += 1;
    this.#bytes[kind]! += bytes;
    this.#untimed[kind]! += 1;
  }

  /** Gives the latency of the commands completed since the last call. */
  took(elapsedMs: number): void {
    for (const kind of TIMED_KINDS) {
      const count = this.#untimed[kind]!;
      if (count === 0) continue;
      this.#untimed[kind] = 0;
      this.#latencies[kind]!.add(elapsedMs, count);
    }
  }

  /** Counts a completed command with its latency. */
  answeredAfter(elapsedMs: number, kind: CommandKind, bytes: number): void {
    this.#commands[kind]! += 1;
    this.#bytes[kind]! += bytes;
    this.#latencies[kind]?.add(elapsedMs, 1);
  }

  /** Counts a failed command. */
  failed(failure: CommandFailure): void {
    this.#failures.set(failure, (this.#failures.get(failure) ?? 0) + 1);
  }

  /** Counts deallocated bytes. */
  unmapped(bytes: number): void {
    this.#unmappedBytes += bytes;
  }

  /** Adds the counters of another object. */
  add(other: Traffic): void {
    for (const kind of KINDS) {
      this.#commands[kind]! += other.#commands[kind]!;
      this.#bytes[kind]! += other.#bytes[kind]!;
    }
    for (const kind of TIMED_KINDS) this.#latencies[kind]!.addAll(other.#latencies[kind]!);
    for (const [failure, count] of other.#failures) {
      this.#failures.set(failure, (this.#failures.get(failure) ?? 0) + count);
    }
    this.#unmappedBytes += other.#unmappedBytes;
  }

  /** Returns the counters. */
  figures(): TrafficFigures {
    const failures = COMMAND_FAILURES.flatMap((failure) => {
      const count = this.#failures.get(failure);
      return count === undefined ? [] : [[failure, count]];
    });
    return {
      reads: this.#transfers(CommandKind.read),
      writes: this.#transfers(CommandKind.write),
      otherCommands: this.#commands[CommandKind.other]!,
      unmappedBytes: this.#unmappedBytes,
      failures: Object.fromEntries(failures),
    };
  }

  #transfers(kind: typeof TIMED_KINDS[number]): TransferFigures {
    return {
      commands: this.#commands[kind]!,
      bytes: this.#bytes[kind]!,
      latencies: this.#latencies[kind]!.latencies(),
    };
  }
}

/** Returns the sum of several counters. */
export function totalTraffic(traffics: Iterable<Traffic>): Traffic {
  const total = new Traffic();
  for (const traffic of traffics) total.add(traffic);
  return total;
}

/** Returns the sum of counters that were read in different places, at least one. */
export function totalFigures(figures: readonly TrafficFigures[]): TrafficFigures {
  return figures.reduce((a, b) => ({
    reads: addTransfers(a.reads, b.reads),
    writes: addTransfers(a.writes, b.writes),
    otherCommands: a.otherCommands + b.otherCommands,
    unmappedBytes: a.unmappedBytes + b.unmappedBytes,
    failures: Object.fromEntries(COMMAND_FAILURES.flatMap((failure) => {
      const count = (a.failures[failure] ?? 0) + (b.failures[failure] ?? 0);
      return count === 0 ? [] : [[failure, count]];
    })),
  }));
}

function addTransfers(a: TransferFigures, b: TransferFigures): TransferFigures {
  return {
    commands: a.commands + b.commands,
    bytes: a.bytes + b.bytes,
    latencies: {
      counts: a.latencies.counts.map((count, index) => count + b.latencies.counts[index]!),
      totalMs: a.latencies.totalMs + b.latencies.totalMs,
    },
  };
}
