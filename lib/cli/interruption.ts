const SIGNALS: readonly Deno.Signal[] = ["SIGINT", "SIGTERM"];

/**
 * Ctrl-C, SIGTERM or a closed terminal as an `AbortSignal`. A command that has state to restore, or steps that must
 * complete, ends at a safe point instead of at once.
 */
export class Interruption {
  readonly #controller = new AbortController();
  readonly #onSignal = (): void => this.#controller.abort();
  readonly #signals: readonly Deno.Signal[];

  /** @param options.endsOnHangup SIGHUP counts without a terminal, too, also where the caller has ignored it */
  constructor({ endsOnHangup = false } = {}) {
    this.#signals = [...SIGNALS, ...(endsOnHangup ? ["SIGHUP" as const] : hangupSignals())];
    for (const signal of this.#signals) Deno.addSignalListener(signal, this.#onSignal);
  }

  /** Aborted when the command must end. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Restores the default: the signals end the process. */
  [Symbol.dispose](): void {
    for (const signal of this.#signals) Deno.removeSignalListener(signal, this.#onSignal);
  }
}

/**
 * Returns the signal of a closed terminal, if the process has a terminal. Without one the disposition of the caller
 * stays: `nohup` ignores SIGHUP, and a listener would undo that.
 */
function hangupSignals(): readonly Deno.Signal[] {
  const hasTerminal = [Deno.stdin, Deno.stdout, Deno.stderr].some((stream) => stream.isTerminal());
  return hasTerminal ? ["SIGHUP"] : [];
}

/** Returns the result of work, or undefined when the signal is aborted first. */
export async function untilInterrupted<T>(
  signal: AbortSignal,
  work: () => Promise<T>,
): Promise<T | undefined> {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  signal.addEventListener("abort", () => resolve(undefined), { once: true });
  return await Promise.race([work(), promise]);
}
