import { type Outcome } from "../outcome/outcome.ts";

/** How far a copy has come. */
export interface CopyProgress {
  segmentsProcessed: number;
  bytesWritten: number;
  /** Undefined while it goes on. */
  outcome: Outcome | undefined;
}

/** How many copies that are over are remembered. */
const FINISHED_MAX = 16;

/**
 * The copies of one I_T_L nexus by their list identifiers: those under way, and those that are over until somebody has
 * asked how they ended (SPC-4, 6.24 and 6.25), or until there are too many.
 */
export class CopyRecords {
  /** In the order in which they began. */
  readonly #records = new Map<number, CopyProgress>();
  /** Those without a list identifier among them. */
  #underWay = 0;

  get underWayCount(): number {
    return this.#underWay;
  }

  find(listId: number): CopyProgress | undefined {
    return this.#records.get(listId);
  }

  /** A copy begins; without a list identifier it is only counted. */
  begin(listId: number | undefined): CopyProgress {
    const progress: CopyProgress = { segmentsProcessed: 0, bytesWritten: 0, outcome: undefined };
    this.#underWay++;
    if (listId === undefined) return progress;
    this.#records.delete(listId);
    this.#records.set(listId, progress);
    return progress;
  }

  /** A copy is over; what became of it is kept until it is forgotten. */
  end(progress: CopyProgress, outcome: Outcome): void {
    progress.outcome = outcome;
    this.#underWay--;
    const finished = [...this.#records].filter(([, record]) => record.outcome !== undefined);
    for (const [listId] of finished.slice(0, -FINISHED_MAX)) this.#records.delete(listId);
  }

  /** The record has served its purpose; one of a copy under way stays. */
  forget(listId: number): void {
    if (this.#records.get(listId)?.outcome !== undefined) this.#records.delete(listId);
  }

  /** A reset ends what was remembered; copies under way are aborted by it as tasks. */
  clear(): void {
    for (const listId of [...this.#records.keys()]) this.forget(listId);
  }
}
