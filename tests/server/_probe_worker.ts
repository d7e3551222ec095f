/**
 * Tries, under the rights of the target worker, what it must and what it must not be able to do: it gets a list of
 * attempts and answers with what became of each, `done` or the name of the error.
 */

/** The attempts of the probe, and the paths and ports that they need. */
export interface ProbeTask {
  /** Names of attempts. */
  readonly attempts: readonly string[];
  readonly storage: string;
  readonly outside: string;
  /** Links to backing files: one that may be written, one that may only be read. */
  readonly writable: string;
  readonly readOnly: string;
  /** The same files by their own names. */
  readonly writableFile: string;
  readonly readOnlyFile: string;
  /** A link that has been removed. */
  readonly formerLink: string;
  /** The folder of another worker, and its link to a file. */
  readonly otherPlace: string;
  readonly otherLink: string;
  /** A port at which another listener listens, and one at which the worker may. */
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

/** Opens a file for writing, and closes it again. */
function openForWriting(path: string): void {
  Deno.openSync(path, { read: true, write: true }).close();
}

async function replaceDurably(folder: string): Promise<void> {
  Deno.writeTextFileSync(`${folder}/state.new`, "x");
  Deno.renameSync(`${folder}/state.new`, `${folder}/state`);
  using handle = await Deno.open(folder, { read: true });
  await handle.sync();
}

function stateOf(storage: string): string {
  return `${storage}/.iscsi`;
}

function beside(path: string): string {
  return path.slice(0, path.lastIndexOf("/"));
}

/** By name: those that begin with `may` must be done, the others refused; `former` links are not found. */
export const ATTEMPTS: Readonly<Record<string, Attempt>> = {
  "may read a linked file": ({ writable }) => Deno.readTextFileSync(writable),
  "may write a linked file": ({ writable }) => openForWriting(writable),
  "may look at a linked file": ({ writable }) => Deno.statSync(writable),
  "may read a linked file that is read-only": ({ readOnly }) => Deno.readTextFileSync(readOnly),
  "may look at a linked file that is read-only": ({ readOnly }) => Deno.statSync(readOnly),
  "may keep a journal": ({ storage }) => Deno.writeTextFileSync(`${stateOf(storage)}/journals/a`, "x"),
  "may keep reservations": ({ storage }) => replaceDurably(`${stateOf(storage)}/reservations`),
  "may keep whether SANITIZE completed": ({ storage }) => replaceDurably(`${stateOf(storage)}/sanitize`),
  "may listen at the portal": ({ portalPort }) => listen(LOOPBACK, portalPort),
  "may listen at another address of a network": ({ portalPort }) => listen("127.0.2.7", portalPort),
  "listen at another port of a network": ({ otherPort }) => listen("127.0.2.7", otherPort),
  "listen beside a network": ({ portalPort }) => listen("127.0.3.7", portalPort),
  "connect to another port of a network": ({ otherPort }) =>
    connect({ hostname: "127.0.2.7", port: otherPort }),
  "former link": ({ formerLink }) => openForWriting(formerLink),
  "write a read-only file by its link": ({ readOnly }) => openForWriting(readOnly),
  "cut a read-only file off by its link": ({ readOnly }) => Deno.truncateSync(readOnly, 0),
  "remove a link that is read-only": ({ readOnly }) => Deno.removeSync(readOnly),
  "move a link that is read-only": ({ readOnly, writable }) => Deno.renameSync(readOnly, `${writable}.moved`),
  "move a link to where it is read-only": ({ readOnly, writable }) =>
    Deno.renameSync(writable, `${readOnly}.moved`),
  "put a link in place of one that is read-only": ({ readOnly, writable }) =>
    Deno.renameSync(writable, readOnly),
  "make a hard link to a read-only file": ({ readOnly, writable }) =>
    Deno.linkSync(readOnly, `${writable}.hard`),
  "make a file beside a read-only link": ({ readOnly }) => Deno.writeTextFileSync(`${readOnly}.new`, "x"),
  "move the folder of read-only links": ({ readOnly, writable }) =>
    Deno.renameSync(beside(readOnly), `${beside(writable)}/moved`),
  "make a folder beside the folders of links": ({ readOnly }) =>
    Deno.mkdirSync(`${beside(beside(readOnly))}/new`),
  "read a backing file by its name": ({ writableFile }) => Deno.readTextFileSync(writableFile),
  "write a backing file by its name": ({ writableFile }) => openForWriting(writableFile),
  "move a backing file": ({ writable, writableFile }) => Deno.renameSync(writableFile, `${writable}.moved`),
  "put a link in place of a backing file": ({ writable, writableFile }) =>
    Deno.renameSync(writable, writableFile),
  "remove a backing file": ({ writableFile }) => Deno.removeSync(writableFile),
  "write a read-only file by its name": ({ readOnlyFile }) => openForWriting(readOnlyFile),
  "make a hard link to a file by its name": ({ writable, readOnlyFile }) =>
    Deno.linkSync(readOnlyFile, `${writable}.hard`),
  "list the storage folder": ({ storage }) => [...Deno.readDirSync(storage)],
  "write in the storage folder": ({ storage }) => Deno.writeTextFileSync(`${storage}/new`, "x"),
  "list the state folder": ({ storage }) => [...Deno.readDirSync(stateOf(storage))],
  "read the identities": ({ storage }) => Deno.readTextFileSync(`${stateOf(storage)}/identities.json`),
  "write the identities": ({ storage }) =>
    Deno.writeTextFileSync(`${stateOf(storage)}/identities.json`, "{}"),
  "put a link in place of the identities": ({ storage, writable }) =>
    Deno.renameSync(writable, `${stateOf(storage)}/identities.json`),
  "open the lock of the server": ({ storage }) =>
    Deno.openSync(`${stateOf(storage)}/serve.lock`, { read: true }).close(),
  "write the growth history": ({ storage }) =>
    Deno.writeTextFileSync(`${stateOf(storage)}/growth.json`, "{}"),
  "connect to the control socket": ({ storage }) => connectUnix(`${stateOf(storage)}/control`),
  "list what programs work on": ({ storage }) => [...Deno.readDirSync(`${stateOf(storage)}/helpers`)],
  "put a link where programs work": ({ storage, writable }) =>
    Deno.renameSync(writable, `${stateOf(storage)}/helpers/run/1`),
  "lock what programs lock": ({ storage }) =>
    Deno.openSync(`${stateOf(storage)}/helpers/run/1.lock`, { read: true }).lockSync(true),
  "move the folder of reservations away": ({ storage }) =>
    Deno.renameSync(`${stateOf(storage)}/reservations`, `${stateOf(storage)}/gone`),
  "open a file that another worker serves": ({ otherLink }) => openForWriting(otherLink),
  "read a journal of another worker": ({ otherPlace }) =>
    Deno.readTextFileSync(`${otherPlace}/journals/atomic`),
  "write a journal of another worker": ({ otherPlace }) =>
    Deno.writeTextFileSync(`${otherPlace}/journals/atomic`, "x"),
  "read reservations of another worker": (
    { otherPlace },
  ) => [...Deno.readDirSync(`${otherPlace}/reservations`)],
  "write reservations of another worker": ({ otherPlace }) =>
    Deno.writeTextFileSync(`${otherPlace}/reservations/x`, "x"),
  "write what another worker keeps of SANITIZE": ({ otherPlace }) =>
    Deno.writeTextFileSync(`${otherPlace}/sanitize/x`, "x"),
  "list the links of another worker": (
    { otherPlace },
  ) => [...Deno.readDirSync(`${otherPlace}/links/read-write`)],
  "put a link among those of another worker": ({ otherPlace, writable }) =>
    Deno.renameSync(writable, `${otherPlace}/links/read-write/x`),
  "read /etc/passwd": () => Deno.readTextFileSync("/etc/passwd"),
  "read outside the storage folder": ({ outside }) => Deno.readTextFileSync(`${outside}/secret`),
  "read outside by a path through it": ({ storage }) =>
    Deno.readTextFileSync(`${stateOf(storage)}/journals/../../../outside/secret`),
  "stat outside": ({ outside }) => Deno.statSync(outside),
  "list the root": () => [...Deno.readDirSync("/")],
  "write outside the storage folder": ({ outside }) => Deno.writeTextFileSync(`${outside}/new`, "x"),
  "write outside by a path through it": ({ storage }) =>
    Deno.writeTextFileSync(`${stateOf(storage)}/journals/../../../outside/new`, "x"),
  "remove outside": ({ outside }) => Deno.removeSync(`${outside}/secret`),
  "move a file out": ({ storage, outside }) =>
    Deno.renameSync(`${stateOf(storage)}/journals/a`, `${outside}/a`),
  "move a file in": ({ storage, outside }) =>
    Deno.renameSync(`${outside}/secret`, `${stateOf(storage)}/journals/secret`),
  "make a symbolic link": ({ writable }) => Deno.symlinkSync("/etc/passwd", `${writable}.link`),
  "make a hard link": ({ writable, outside }) => Deno.linkSync(`${outside}/secret`, `${writable}.link`),
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
  "run a program of its own": ({ writable }) => new Deno.Command(writable).outputSync(),
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

/** Requests more rights, and returns the outcome: there is not even a prompt. */
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
