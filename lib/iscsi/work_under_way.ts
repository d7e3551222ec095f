/** Work on a medium that continues after the task that began it has ended. */
export interface Work {
  readonly lun: number | undefined;
  /** The work may still change what is stored: the end of its task is reported only after it. */
  readonly changesMedium: boolean;
  /** Resolves when the work is done. It never rejects. */
  readonly done: Promise<unknown>;
}

/** All work under way at one target. A slow medium of one target delays no other target. */
export class WorkUnderWay {
  /** Each piece of work with the session that began it. */
  readonly #works = new Map<Work, unknown>();

  /** Records a piece of work until it is done. */
  add(work: Work, session: unknown): void {
    this.#works.set(work, session);
    work.done.then(() => this.#works.delete(work));
  }

  /** The number of pieces of work under way. */
  get count(): number {
    return this.#works.size;
  }

  /** Returns the sessions that began work that is not done. */
  sessions(): Set<unknown> {
    return new Set(this.#works.values());
  }

  /** Resolves when everything under way now is done. Returns undefined when nothing is under way. */
  done(): Promise<unknown> | undefined {
    return allDone([...this.#works.keys()]);
  }

  /**
   * Resolves when nothing under way now can still change the medium of one logical unit, or of any when `lun` is
   * undefined. Returns undefined when nothing can.
   */
  settled(lun?: number): Promise<unknown> | undefined {
    return allDone(
      [...this.#works.keys()].filter((work) => work.changesMedium && (lun === undefined || work.lun === lun)),
    );
  }
}

function allDone(works: readonly Work[]): Promise<unknown> | undefined {
  return works.length === 0 ? undefined : Promise.all(works.map(({ done }) => done));
}
