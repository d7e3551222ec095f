/**
 * Counts and times the commands of one connection.
 *
 * Every command is counted. A command that has to wait is timed individually, from its arrival to its status. Reading
 * the clock takes a twentieth of the time of a small command, so commands that are answered at once are timed as a
 * batch: they arrive in one piece, and their replies leave in one. After the first batches of a connection only one in
 * eight is timed, and represents those before it that were not.
 */
import { commandFailure } from "../../scsi/outcome/command_failure.ts";
import type { Outcome } from "../../scsi/outcome/outcome.ts";
import type { Traffic } from "../../scsi/counters/traffic.ts";
import type { Clock } from "../clock.ts";
import type { ScsiTask } from "./scsi_task.ts";

/** The first batches are all timed, since short connections have no others. */
const TIMED_AT_FIRST = 64;
const TIMED_ONE_IN = 8;

/** The counts and times of one connection's commands. */
export class CommandMeter {
  readonly #clock: Clock;
  #batches = 0;
  /** The arrival of the current batch; undefined while the batch is not timed. */
  #receivedMs: number | undefined;
  /** The counters of commands that were answered and not timed. There is usually one. */
  readonly #untimed: Traffic[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Starts a batch: the socket has delivered requests. */
  received(): void {
    this.#batches++;
    const isTimed = this.#batches <= TIMED_AT_FIRST || this.#batches % TIMED_ONE_IN === 0;
    this.#receivedMs = isTimed ? this.#clock.monotonicMs() : undefined;
  }

  /** Times a command individually, since it is not answered at once. */
  postponed(task: ScsiTask): void {
    this.#receivedMs ??= this.#clock.monotonicMs();
    task.receivedMs = this.#receivedMs;
  }

  /** Counts a command whose status is about to be sent. */
  answered(task: ScsiTask): void {
    const { traffic, kind, receivedMs } = task;
    const bytes = Math.min(task.transferBytes, task.expectedBytes);
    if (receivedMs !== undefined) {
      return traffic.answeredAfter(this.#clock.monotonicMs() - receivedMs, kind, bytes);
    }
    traffic.answered(kind, bytes);
    if (!this.#untimed.includes(traffic)) this.#untimed.push(traffic);
  }

  /** Counts a command whose status is not GOOD. */
  failed(task: ScsiTask, outcome: Outcome): void {
    const failure = commandFailure(outcome);
    if (failure !== undefined) task.traffic.failed(failure);
  }

  /** Ends a batch: the replies are being sent. */
  sent(): void {
    if (this.#receivedMs === undefined || this.#untimed.length === 0) return;
    const elapsedMs = this.#clock.monotonicMs() - this.#receivedMs;
    for (const traffic of this.#untimed) traffic.took(elapsedMs);
    this.#untimed.length = 0;
  }
}
