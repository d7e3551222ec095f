/** Work on a medium that goes on whatever becomes of the task that wanted it. */
export interface Work {
  readonly lun: number | undefined;
  /** It may still change what is stored: whoever is told that the task has ended must be told after this. */
  readonly changesMedium: boolean;
  /** Resolves when the work is done. It never rejects. */
  readonly done: Promise<unknown>;
}

/** Everything that is under way at one target: a slow medium of one target holds up nobody at another. */
export class WorkUnderWay {
  /** Each with the session that began it. */
  readonly #works = new Map<Work, unknown>();

  add(work: Work, session: unknown): void {
    this.#works.set(work, session);
    work.done.then(() => this.#works.delete(work));
  }

  get count(): number {
    return this.#works.size;
  }

  /** The sessions that have begun some of it. */
  sessions(): Set<unknown> {
    return new Set(this.#works.values());
  }

  /** Resolves when all that is under way now is done; undefined when nothing is. */
  done(): Promise<unknown> | undefined {
    return allDone([...this.#works.keys()]);
  }

  /**
   * Resolves when nothing that is under way now can change what is stored any more: at one logical unit, or at all of
   * them when `lun` is undefined. Undefined when nothing can.
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
