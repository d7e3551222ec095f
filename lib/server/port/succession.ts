import type { WorkerLease, WorkerServing } from "../storage/serving.ts";

/** The conf of a worker that replaces a healthy one. */
interface Next {
  readonly serving: WorkerServing;
  /** The conf served before, once the new worker starts: to roll back to, or to release. */
  former?: WorkerServing;
  readonly ready: PromiseWithResolvers<void>;
}

/** The conf that is served now, and the one that the next worker is to serve. */
export class Succession {
  #serving: WorkerServing;
  #next: Next | undefined;

  constructor(serving: WorkerServing) {
    this.#serving = serving;
  }

  /** The conf that is served now. */
  get serving(): WorkerServing {
    return this.#serving;
  }

  /** Records that the running worker serves another conf. */
  set serving(serving: WorkerServing) {
    this.#serving = serving;
  }

  /** True if a replacement has been requested and is not ready yet. */
  get isUnderWay(): boolean {
    return this.#next !== undefined;
  }

  /** Requests that the next worker serve another conf. Resolves when it is ready. */
  begin(serving: WorkerServing): Promise<void> {
    const ready = Promise.withResolvers<void>();
    this.#next = { serving, ready };
    return ready.promise;
  }

  /** Makes a requested conf the current one, before its worker starts. */
  takeOver(): void {
    if (this.#next === undefined || this.#next.former !== undefined) return;
    this.#next.former = this.#serving;
    this.#serving = this.#next.serving;
  }

  /** Completes a replacement, because its worker is ready, and releases the former storage folder. */
  succeed(): void {
    if (this.#next === undefined) return;
    const { former, serving, ready } = this.#next;
    this.#next = undefined;
    if (former === undefined || former.lease === serving.lease) return ready.resolve();
    former.lease.end().then(ready.resolve, ready.reject);
  }

  /** Restores the former conf, because the new worker failed; returns false when no replacement is under way. */
  rollBack(message: string): boolean {
    if (this.#next?.former === undefined) return false;
    const { former, ready } = this.#next;
    this.#next = undefined;
    this.#serving = former;
    ready.reject(new Error(message));
    return true;
  }

  /** Cancels a replacement for this reason. Returns the leases to release. */
  end(message: string): Iterable<WorkerLease> {
    this.#next?.ready.reject(new Error(message));
    this.takeOver();
    const former = this.#next?.former?.lease;
    return new Set(former === undefined ? [this.#serving.lease] : [former, this.#serving.lease]);
  }
}
