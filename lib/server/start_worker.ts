/** The program of a worker, with the rights that Deno fixes at its start. */
export interface WorkerProgram {
  readonly url: string;
  /** The name of the worker in stack traces and tools. */
  readonly name: string;
  readonly permissions: Deno.PermissionOptionsObject;
}

/** Starts a worker. Tests pass a function that starts another program. */
export type StartWorker = (program: WorkerProgram) => Worker;

/** Starts a worker with exactly the rights that its program needs. */
export function startWorker({ url, name, permissions }: WorkerProgram): Worker {
  return new Worker(url, { type: "module", name, deno: { permissions } });
}
