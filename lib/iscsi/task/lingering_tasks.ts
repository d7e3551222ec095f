import type { ScsiTask } from "./scsi_task.ts";

/** The count of a session's ended tasks whose work on a medium is not done. */
interface Counter {
  beginLingering(): void;
  endLingering(): void;
}

/**
 * Ended tasks of one connection whose work on a medium is not done. Each is counted as long as its pieces of work
 * occupy memory.
 */
export class LingeringTasks {
  readonly #counter: Counter;
  readonly #pieces = new Map<ScsiTask, number>();

  constructor(counter: Counter) {
    this.#counter = counter;
  }

  /** Adds pieces of work to an ended task. */
  add(task: ScsiTask, pieces: number): void {
    if (pieces === 0) return;
    const before = this.#pieces.get(task);
    if (before === undefined) this.#counter.beginLingering();
    this.#pieces.set(task, (before ?? 0) + pieces);
  }

  /** Returns true for an ended task whose work is not done. */
  has(task: ScsiTask): boolean {
    return this.#pieces.size > 0 && this.#pieces.has(task);
  }

  /** Removes a piece of work. Returns true when it was the last one of an ended task. */
  pieceEnded(task: ScsiTask): boolean {
    const pieces = this.#pieces.get(task);
    if (pieces === undefined) return false;
    if (pieces > 1) {
      this.#pieces.set(task, pieces - 1);
      return false;
    }
    this.#pieces.delete(task);
    this.#counter.endLingering();
    return true;
  }
}
