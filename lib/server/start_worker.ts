/** The program of a worker, with the rights that Deno fixes at its start. */
export interface WorkerProgram {
  readonly url: string;
  /** The name of the worker in stack traces and tools. */
  readonly name: string;
  readonly permissions: Deno.PermissionOptionsObject;
}

/** Starts a worker. Tests pass a function that starts another program. */
export type StartWorker = (program: WorkerProgram) => Worker;

/**
 * Starts a worker with exactly the rights that its program needs.
 *
 * @throws {Error} when this process has not all of these rights; the message is for the user
 */
export function startWorker({ url, name, permissions }: WorkerProgram): Worker {
  try {
    return new Worker(url, { type: "module", name, deno: { permissions } });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotCapable)) throw error;
    const { net } = permissions;
    const places = Array.isArray(net) ? net.join(" ") : "it";
    throw new Error(
      `this program was compiled without the net right for ${places}; compile it with --listen ${places}`,
      { cause: error },
    );
  }
}
