/**
 * Tries, under the rights of the target worker, what it must and what it must not be able to do: it gets a list of
 * attempts and answers with what became of each, `done` or the name of the error.
 */

/** What the probe needs to know of its surroundings. */
export interface ProbeTask {
  /** Names of attempts. */
  readonly attempts: readonly string[];
  readonly storage: string;
  readonly outside: string;
  /** Backing files that lie elsewhere: one that may be written, one that may only be read. */
  readonly elsewhere: string;
  readonly readOnlyElsewhere: string;
  /** Where somebody else listens, and where the worker may. */
  readonly otherPort: number;
  readonly portalPort: number;
}

type Attempt = (task: ProbeTask) => unknown;

const LOOPBACK = "127.0.0.1";

async function connect(options: Deno.ConnectOptions): Promise<void> {
  const connection = await Deno.connect(options);
  connection.close();
}

function listen(hostname: string, port: number): void {
  Deno.listen({ hostname, port }).close();
}

function startWorker(permissions: Deno.PermissionOptions): void {
  const url = "data:application/javascript,";
  new Worker(url, { type: "module", deno: { permissions } }).terminate();
}

/** By name: those that begin with `may` must be done, the others refused. */
export const ATTEMPTS: Readonly<Record<string, Attempt>> = {
  "may read the storage folder": ({ storage }) => Deno.readTextFileSync(`${storage}/disk`),
  "may write in the storage folder": ({ storage }) => Deno.writeTextFileSync(`${storage}/disk`, "x"),
  "may list the storage folder": ({ storage }) => [...Deno.readDirSync(storage)],
  "may write a backing file elsewhere": ({ elsewhere }) => Deno.writeTextFileSync(elsewhere, "x"),
  "may read a read-only backing file": ({ readOnlyElsewhere }) => Deno.readTextFileSync(readOnlyElsewhere),
  "may listen at the portal": ({ portalPort }) => listen(LOOPBACK, portalPort),
  "write a read-only backing file": ({ readOnlyElsewhere }) => Deno.writeTextFileSync(readOnlyElsewhere, "x"),
  "read beside a backing file elsewhere": ({ elsewhere }) => Deno.readTextFileSync(`${elsewhere}.other`),
  "read /etc/passwd": () => Deno.readTextFileSync("/etc/passwd"),
  "read outside the storage folder": ({ outside }) => Deno.readTextFileSync(`${outside}/secret`),
  "read outside by a path through it": ({ storage }) => Deno.readTextFileSync(`${storage}/../outside/secret`),
  "stat outside": ({ outside }) => Deno.statSync(outside),
  "list the root": () => [...Deno.readDirSync("/")],
  "write outside the storage folder": ({ outside }) => Deno.writeTextFileSync(`${outside}/new`, "x"),
  "write outside by a path through it": ({ storage }) =>
    Deno.writeTextFileSync(`${storage}/../outside/new`, "x"),
  "remove outside": ({ outside }) => Deno.removeSync(`${outside}/secret`),
  "move a file out": ({ storage, outside }) => Deno.renameSync(`${storage}/disk`, `${outside}/disk`),
  "move a file in": ({ storage, outside }) => Deno.renameSync(`${outside}/secret`, `${storage}/secret`),
  "make a symbolic link": ({ storage }) => Deno.symlinkSync("/etc/passwd", `${storage}/link`),
  "make a hard link": ({ storage, outside }) => Deno.linkSync(`${outside}/secret`, `${storage}/link`),
  "make a temporary file": () => Deno.makeTempFileSync(),
  "connect to another port": ({ otherPort }) => connect({ hostname: LOOPBACK, port: otherPort }),
  "connect to another port by name": ({ otherPort }) => connect({ hostname: "localhost", port: otherPort }),
  "connect to another address": ({ otherPort }) => connect({ hostname: "127.0.0.2", port: otherPort }),
  "connect to a Unix socket": ({ outside }) => connectUnix(`${outside}/socket`),
  "fetch": ({ otherPort }) => fetch(`http://${LOOPBACK}:${otherPort}/`),
  "open a web socket": ({ otherPort }) => new WebSocket(`ws://${LOOPBACK}:${otherPort}/`),
  "resolve a name": () => Deno.resolveDns("localhost", "A", { nameServer: { ipAddr: LOOPBACK } }),
  "listen at another port": ({ otherPort }) => listen(LOOPBACK, otherPort + 1),
  "listen at the portal's port of another address": ({ portalPort }) => listen("127.0.0.2", portalPort),
  "listen at every address": ({ portalPort }) => listen("0.0.0.0", portalPort),
  "run a command": () => new Deno.Command("true").outputSync(),
  "run a program of the storage folder": ({ storage }) => new Deno.Command(`${storage}/disk`).outputSync(),
  "end a process": () => Deno.kill(1, "SIGCONT"),
  "read the environment": () => Deno.env.get("HOME"),
  "read all of the environment": () => Deno.env.toObject(),
  "change the environment": () => Deno.env.set("HOME", "/"),
  "load a library": () => Deno.dlopen("libc.so.6", { getpid: { parameters: [], result: "i32" } }),
  "read the host's name": () => Deno.hostname(),
  "read the interfaces": () => Deno.networkInterfaces(),
  "read the memory": () => Deno.systemMemoryInfo(),
  "read the user": () => Deno.uid(),
  "import a file from outside": ({ outside }) => import(`file://${outside}/module.js`),
  "import from the network": ({ otherPort }) => import(`http://${LOOPBACK}:${otherPort}/module.js`),
  "start a worker with more rights": () => startWorker({ read: true }),
  "start a worker that may run": () => startWorker({ run: true }),
};

/** What became of asking for more: not even a prompt. */
async function requestRights(): Promise<string> {
  const names = ["read", "write", "net", "run", "env", "sys", "ffi"] as const;
  const states = await Promise.all(names.map((name) => Deno.permissions.request({ name })));
  return states.some(({ state }) => state !== "denied") ? "granted" : "NotCapable";
}

/** Deno 2.7 has no type for it in its options for TCP. */
async function connectUnix(path: string): Promise<void> {
  const connection = await Deno.connect({ transport: "unix", path });
  connection.close();
}

async function outcomeOf(attempt: Attempt | undefined, task: ProbeTask): Promise<string> {
  if (attempt === undefined) return "unknown";
  try {
    await attempt(task);
    return "done";
  } catch (error) {
    if (!(error instanceof Error)) return String(error);
    // What an import lacks comes as a TypeError that says so.
    return error instanceof TypeError && /^Requires \w+ access/.test(error.message)
      ? "NotCapable"
      : error.name;
  }
}

/** A worker's global scope, of which Deno's types for main programs know nothing. */
interface ProbeScope {
  postMessage(message: Record<string, string>): void;
  onmessage: ((event: MessageEvent<ProbeTask>) => void) | null;
  readonly document?: unknown;
  readonly WorkerGlobalScope?: unknown;
}

const scope = globalThis as unknown as ProbeScope;

// The test imports this file as well, for the names of the attempts: only a worker has such a scope.
if (scope.WorkerGlobalScope !== undefined) {
  scope.onmessage = async ({ data }) => {
    const outcomes: Record<string, string> = { "ask for more": await requestRights() };
    for (const name of data.attempts) outcomes[name] = await outcomeOf(ATTEMPTS[name], data);
    scope.postMessage(outcomes);
  };
}
