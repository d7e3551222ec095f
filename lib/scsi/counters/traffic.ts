/**
 * What goes on between one initiator port and one logical unit, counted: commands, bytes, how long commands took, and
 * how they failed.
 *
 * A command is counted once, here. What a session has done is the sum over its logical units, and what a logical unit
 * has seen is the sum over all who have ever used it. Counting costs a command a few additions.
 */
import { COMMAND_FAILURES, type CommandFailure } from "../outcome/command_failure.ts";
import { type Latencies, LatencyHistogram } from "./latency_histogram.ts";

/** Reads, or writes, as plain data. */
export interface TransferFigures {
  /** Commands that have been answered, well or not. */
  readonly commands: number;
  /** Bytes that they have moved between initiator and target. */
  readonly bytes: number;
  /** From their arrival until their answers were on their way. */
  readonly latencies: Latencies;
}

/** What `Traffic` has counted, as plain data. */
export interface TrafficFigures {
  readonly reads: TransferFigures;
  readonly writes: TransferFigures;
  readonly otherCommands: number;
  /** Bytes that UNMAP and WRITE SAME have given back, or made zero where that cannot be. */
  readonly unmappedBytes: number;
  /** Only of those that there were. */
  readonly failures: Partial<Readonly<Record<CommandFailure, number>>>;
}

/** What a command counts as, as an index into what is counted apart. */
export const CommandKind = { read: 0, write: 1, other: 2 } as const;

/** One of the values of `CommandKind`. */
export type CommandKind = typeof CommandKind[keyof typeof CommandKind];

const KINDS = Object.values(CommandKind);
/** Those whose commands are timed. */
const TIMED_KINDS = [CommandKind.read, CommandKind.write] as const;

/** Counts what one I_T_L nexus does. */
export class Traffic {
  readonly #commands = new Float64Array(KINDS.length);
  readonly #bytes = new Float64Array(KINDS.length);
  /** Commands that have been answered, and whose time is not known yet. */
  readonly #untimed = new Float64Array(KINDS.length);
  /** By kind. */
  readonly #latencies = TIMED_KINDS.map(() => new LatencyHistogram());
  readonly #failures = new Map<CommandFailure, number>();
  #unmappedBytes = 0;

  /** A command has been answered; how long it took, `took` will say. */
  answered(kind: CommandKind, bytes: number): void {
    this.#commands[kind]! += 1;
    this.#bytes[kind]! += bytes;
    this.#untimed[kind]! += 1;
  }

  /** All that was answered since this was last said took so long. */
  took(elapsedMs: number): void {
    for (const kind of TIMED_KINDS) {
      const count = this.#untimed[kind]!;
      if (count === 0) continue;
      this.#untimed[kind] = 0;
      this.#latencies[kind]!.add(elapsedMs, count);
    }
  }

  /** A command has been answered that took so long. */
  answeredAfter(elapsedMs: number, kind: CommandKind, bytes: number): void {
    this.#commands[kind]! += 1;
    this.#bytes[kind]! += bytes;
    this.#latencies[kind]?.add(elapsedMs, 1);
  }

  /** A command has not ended well. */
  failed(failure: CommandFailure): void {
    this.#failures.set(failure, (this.#failures.get(failure) ?? 0) + 1);
  }

  /** Space has been given back. */
  unmapped(bytes: number): void {
    this.#unmappedBytes += bytes;
  }

  /** Counts all that another has counted. */
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

  /** What has been counted. */
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

/** What several have counted together. */
export function totalTraffic(traffics: Iterable<Traffic>): Traffic {
  const total = new Traffic();
  for (const traffic of traffics) total.add(traffic);
  return total;
}
