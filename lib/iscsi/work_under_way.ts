/** Work on a medium that continues after the task that began it has ended. */
export interface Work {
  readonly lun: number | undefined;
  /** The work may still change what is stored: the end of its task is reported only after it. */
  readonly changesMedium: boolean;
  /** Resolves when the work is done. It never rejects. */
  readonly done: Promise<unknown>;
}

/** The work that began between two questions whether all of it is done. */
class Round {
  /** Pieces of work that are not done. */
  count = 0;
  /** Set once a question has closed the round: work that begins later belongs to the next one. */
  closed: PromiseWithResolvers<void> | undefined;
  next: Round | undefined;
}

/**
 * Pieces of work in the order of their start, by rounds. To begin or to end a piece, and to ask whether all are done,
 * takes the same time for any number of pieces, and all who ask while nothing begins share one promise.
 */
class Rounds {
  /** The oldest round that is open or not done. */
  #first = new Round();
  /** The open round, and the one before it. */
  #open = this.#first;
  #lastClosed: Round | undefined;

  begin(): Round {
    this.#open.count++;
    return this.#open;
  }

  end(round: Round): void {
    round.count--;
    while (this.#first.count === 0 && this.#first.closed !== undefined) {
      this.#first.closed.resolve();
      this.#first = this.#first.next!;
    }
  }

  /** Resolves when everything that has begun is done. Returns undefined when it is. */
  settled(): Promise<void> | undefined {
    if (this.#open.count > 0) this.#close(this.#open);
    return this.#first === this.#open ? undefined : this.#lastClosed!.closed!.promise;
  }

  #close(round: Round): void {
    round.closed = Promise.withResolvers();
    this.#lastClosed = round;
    this.#open = round.next = new Round();
  }
}

/** All work under way at one target. A slow medium of one target delays no other target. */
export class WorkUnderWay {
  readonly #all = new Rounds();
  /** The work that may change a medium: all of it, and that of each logical unit. */
  readonly #changing = new Rounds();
  readonly #changingOf = new Map<number, Rounds>();
  #count = 0;
  /** The number of pieces by the session that began them. A session without any stays until it ends. */
  readonly #counts = new Map<unknown, number>();
  /** Sessions that have ended with work that is not done. */
  readonly #lingering = new Set<unknown>();

  /** Records a piece of work until it is done. */
  add({ lun, changesMedium, done }: Work, session: unknown): void {
    const all = this.#all.begin();
    const changing = changesMedium ? this.#changing.begin() : undefined;
    const rounds = changesMedium && lun !== undefined ? this.#roundsOf(lun) : undefined;
    const own = rounds?.begin();
    this.#count++;
    this.#counts.set(session, (this.#counts.get(session) ?? 0) + 1);
    done.then(() => {
      this.#all.end(all);
      if (changing !== undefined) this.#changing.end(changing);
      if (own !== undefined) rounds!.end(own);
      this.#count--;
      this.#uncount(session);
    });
  }

  #roundsOf(lun: number): Rounds {
    const known = this.#changingOf.get(lun);
    if (known !== undefined) return known;
    const rounds = new Rounds();
    this.#changingOf.set(lun, rounds);
    return rounds;
  }

  #uncount(session: unknown): void {
    const count = this.#counts.get(session)! - 1;
    this.#counts.set(session, count);
    if (count === 0 && this.#lingering.delete(session)) this.#counts.delete(session);
  }

  /** The number of pieces of work under way. */
  get count(): number {
    return this.#count;
  }

  /** Records that a session has ended. Its work continues. */
  sessionEnded(session: unknown): void {
    const count = this.#counts.get(session) ?? 0;
    if (count > 0) this.#lingering.add(session);
    else this.#counts.delete(session);
  }

  /** The number of sessions that have ended with work that is not done. */
  get lingeringSessions(): number {
    return this.#lingering.size;
  }

  /** Resolves when everything under way now is done. Returns undefined when nothing is under way. */
  done(): Promise<unknown> | undefined {
    return this.#all.settled();
  }

  /**
   * Resolves when nothing under way now can still change the medium of one logical unit, or of any when `lun` is
   * undefined. Returns undefined when nothing can.
   */
  settled(lun?: number): Promise<unknown> | undefined {
    return lun === undefined ? this.#changing.settled() : this.#changingOf.get(lun)?.settled();
  }
}
