/**
 * Counts and times the commands of one connection.
 *
 * Every command is counted. What has to wait for anything is timed by itself, from when it came to when its status is
 * sent. But a reading of the clock costs a twentieth of a small command, so what is answered at once is timed together:
 * it came in one piece, and its replies leave in one. Of these batches, but for a connection's first ones, only one in
 * eight is timed, and stands for those before it that were not.
 */
import { commandFailure } from "../../scsi/outcome/command_failure.ts";
import type { Outcome } from "../../scsi/outcome/outcome.ts";
import type { Traffic } from "../../scsi/counters/traffic.ts";
import type { Clock } from "../clock.ts";
import type { ScsiTask } from "./scsi_task.ts";

/** A connection that is soon over has no more. */
const TIMED_AT_FIRST = 64;
const TIMED_ONE_IN = 8;

/** Where a connection's commands are counted and timed. */
export class CommandMeter {
  readonly #clock: Clock;
  #batches = 0;
  /** When what is carried out now has come; undefined while nobody asks. */
  #receivedMs: number | undefined;
  /** Those with commands that have been answered and not been timed: mostly one. */
  readonly #untimed: Traffic[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The socket has delivered something, which is carried out from now on. */
  received(): void {
    this.#batches++;
    const isTimed = this.#batches <= TIMED_AT_FIRST || this.#batches % TIMED_ONE_IN === 0;
    this.#receivedMs = isTimed ? this.#clock.monotonicMs() : undefined;
  }

  /** A command is not answered at once: it is timed by itself. */
  postponed(task: ScsiTask): void {
    this.#receivedMs ??= this.#clock.monotonicMs();
    task.receivedMs = this.#receivedMs;
  }

  /** A command's status is about to be sent. */
  answered(task: ScsiTask): void {
    const { traffic, kind, receivedMs } = task;
    const bytes = Math.min(task.transferBytes, task.expectedBytes);
    if (receivedMs !== undefined) {
      return traffic.answeredAfter(this.#clock.monotonicMs() - receivedMs, kind, bytes);
    }
    traffic.answered(kind, bytes);
    if (!this.#untimed.includes(traffic)) this.#untimed.push(traffic);
  }

  /** It is a status other than GOOD. */
  failed(task: ScsiTask, outcome: Outcome): void {
    const failure = commandFailure(outcome);
    if (failure !== undefined) task.traffic.failed(failure);
  }

  /** The replies are on their way. */
  sent(): void {
    if (this.#receivedMs === undefined || this.#untimed.length === 0) return;
    const elapsedMs = this.#clock.monotonicMs() - this.#receivedMs;
    for (const traffic of this.#untimed) traffic.took(elapsedMs);
    this.#untimed.length = 0;
  }
}
