const SIGNALS: readonly Deno.Signal[] = ["SIGINT", "SIGTERM"];

/**
 * Ctrl-C, a closed terminal, or an end asked for otherwise, as a signal that a command heeds when it can: whoever has
 * something to put back, or does things that must not be left half done, waits for it instead of being ended on the
 * spot.
 */
export class Interruption {
  readonly #controller = new AbortController();
  readonly #onSignal = (): void => this.#controller.abort();
  readonly #signals = [...SIGNALS, ...hangupSignals()];

  constructor() {
    for (const signal of this.#signals) Deno.addSignalListener(signal, this.#onSignal);
  }

  /** Aborted when the command is to end. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** From here on the process is ended as if nothing had been said. */
  [Symbol.dispose](): void {
    for (const signal of this.#signals) Deno.removeSignalListener(signal, this.#onSignal);
  }
}

/**
 * The signal of a closed terminal, where there is one. Without a terminal it stays as the caller has set it: `nohup`
 * has it ignored, and listening would undo that.
 */
export function hangupSignals(): readonly Deno.Signal[] {
  const hasTerminal = [Deno.stdin, Deno.stdout, Deno.stderr].some((stream) => stream.isTerminal());
  return hasTerminal ? ["SIGHUP"] : [];
}

/** What work results in, or undefined when the user does not want to wait for it any more. */
export async function untilInterrupted<T>(
  signal: AbortSignal,
  work: () => Promise<T>,
): Promise<T | undefined> {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  signal.addEventListener("abort", () => resolve(undefined), { once: true });
  return await Promise.race([work(), promise]);
}

/** Waits, but not beyond the abortion of a signal. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener("abort", end);
  });
}
