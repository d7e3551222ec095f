import type { Outcome } from "../outcome/outcome.ts";

/** The progress of a copy. */
export interface CopyProgress {
  segmentsProcessed: number;
  bytesWritten: number;
  /** Undefined while the copy is running. */
  outcome: Outcome | undefined;
}

/** Most records of completed copies. */
const FINISHED_MAX = 16;

/**
 * The copies of one I_T_L nexus by their list identifiers. A completed copy stays until the initiator has requested its
 * status (SPC-4, 6.24 and 6.25), or until there are too many.
 */
export class CopyRecords {
  /** By list identifier, in the order of their start. */
  readonly #records = new Map<number, CopyProgress>();
  /** Running copies, including those without a list identifier. */
  #underWay = 0;

  get underWayCount(): number {
    return this.#underWay;
  }

  find(listId: number): CopyProgress | undefined {
    return this.#records.get(listId);
  }

  /** Begins a copy. Without a list identifier it is only counted. */
  begin(listId: number | undefined): CopyProgress {
    const progress: CopyProgress = { segmentsProcessed: 0, bytesWritten: 0, outcome: undefined };
    this.#underWay++;
    if (listId === undefined) return progress;
    this.#records.delete(listId);
    this.#records.set(listId, progress);
    return progress;
  }

  /** Ends a copy. Its outcome stays until `forget` is called. */
  end(progress: CopyProgress, outcome: Outcome): void {
    progress.outcome = outcome;
    this.#underWay--;
    const finished = [...this.#records].filter(([, record]) => record.outcome !== undefined);
    for (const [listId] of finished.slice(0, -FINISHED_MAX)) this.#records.delete(listId);
  }

  /** Removes the record of a completed copy. The record of a running one stays. */
  forget(listId: number): void {
    if (this.#records.get(listId)?.outcome !== undefined) this.#records.delete(listId);
  }

  /** Removes the records of all completed copies, for a reset. The reset aborts running copies as tasks. */
  clear(): void {
    for (const listId of [...this.#records.keys()]) this.forget(listId);
  }
}
