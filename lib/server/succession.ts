import type { Lease, Serving } from "./serving.ts";

/** What a worker is to serve that takes the place of one that does well. */
interface Next {
  readonly serving: Serving;
  /** What was served before, once the new worker is on its way: to go back to, or to be given back. */
  former?: Serving;
  readonly ready: PromiseWithResolvers<void>;
}

/** What is served, and what is to be served next by another worker. */
export class Succession {
  #serving: Serving;
  #next: Next | undefined;

  constructor(serving: Serving) {
    this.#serving = serving;
  }

  /** What is served now. */
  get serving(): Serving {
    return this.#serving;
  }

  /** The worker that runs serves something else. */
  set serving(serving: Serving) {
    this.#serving = serving;
  }

  /** Something else is to be served by another worker, and has not been so far. */
  get isUnderWay(): boolean {
    return this.#next !== undefined;
  }

  /** Serves something else with the next worker. Resolves when that is ready. */
  begin(serving: Serving): Promise<void> {
    const ready = Promise.withResolvers<void>();
    this.#next = { serving, ready };
    return ready.promise;
  }

  /** Goes over to what is to be served next, if that is something else. */
  takeOver(): void {
    if (this.#next === undefined || this.#next.former !== undefined) return;
    this.#next.former = this.#serving;
    this.#serving = this.#next.serving;
  }

  /** What was to be served is ready: nothing of what was before is wanted. */
  succeed(): void {
    if (this.#next === undefined) return;
    const { former, serving, ready } = this.#next;
    this.#next = undefined;
    if (former === undefined || former.lease === serving.lease) return ready.resolve();
    former.lease.end().then(ready.resolve, ready.reject);
  }

  /** Goes back to what was served before, if the first worker that was to serve something else cannot. */
  rollBack(message: string): boolean {
    if (this.#next?.former === undefined) return false;
    const { former, ready } = this.#next;
    this.#next = undefined;
    this.#serving = former;
    ready.reject(new Error(message));
    return true;
  }

  /** There is no next worker, for this reason. Returns all that is to be given back. */
  end(message: string): Iterable<Lease> {
    this.#next?.ready.reject(new Error(message));
    this.takeOver();
    const former = this.#next?.former?.lease;
    return new Set(former === undefined ? [this.#serving.lease] : [former, this.#serving.lease]);
  }
}
