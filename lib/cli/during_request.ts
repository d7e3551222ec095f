/** A request to the server that stays open while this command works. */
export interface OpenRequest<Result> {
  /** Sends the request. The first message of the server begins the work. */
  readonly send: (onMessage: (message: string) => void, signal: AbortSignal) => Promise<Result>;
  /** Aborted to end the request and the work. */
  readonly interrupted: AbortSignal;
}

/**
 * Does `work` while the server holds a request, and returns the result of the request.
 *
 * @param work gets the first message of the server, and a signal that is aborted when the server or the user ends it
 * @throws {Error} (rejects) with the reason of the server, of `work` or of the signal
 */
export async function duringRequest<Result>(
  { send, interrupted }: OpenRequest<Result>,
  work: (message: string, signal: AbortSignal) => Promise<void>,
): Promise<Result> {
  const stop = new AbortController();
  // The server goes on when the work has left its files alone.
  const leave = new AbortController();
  const started = Promise.withResolvers<string>();
  const onInterrupt = (): void => {
    started.reject(interrupted.reason);
    stop.abort(interrupted.reason);
  };
  interrupted.addEventListener("abort", onInterrupt, { once: true });
  const ended = send((message) => started.resolve(message), leave.signal);
  ended.then(() => started.reject(new Error("the server has not begun")), (error) => {
    started.reject(error);
    stop.abort(error);
  });
  try {
    await work(await started.promise, stop.signal);
    return await ended;
  } finally {
    interrupted.removeEventListener("abort", onInterrupt);
    leave.abort(new Error("the command has ended"));
  }
}
