/** The moment some time after a signal is aborted. */
export class Deadline implements Disposable {
  readonly #reached = Promise.withResolvers<void>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(stop: AbortSignal, ms: number) {
    const begin = (): void => {
      this.#timer = setTimeout(this.#reached.resolve, ms);
    };
    if (stop.aborted) begin();
    else stop.addEventListener("abort", begin, { once: true });
  }

  /** Resolves at that moment. */
  get reached(): Promise<void> {
    return this.#reached.promise;
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }
}
