/**
 * A watcher outside of the nodes, which asks the kernel, again and again, which node has the storage: mounted, or files
 * of it open. It knows nothing of Pacemaker or of the target.
 */
import { delay } from "../../lib/base/delay.ts";
import { STORAGE } from "./_cluster_conf.ts";
import type { Node } from "./_node.ts";

/** Milliseconds between two looks. */
const TURN_MS = 15;

/** Something that a node has of the storage. */
type Hold = "the file system mounted" | "files open";

/** Watches from its start to its end. */
export class StorageWatch {
  readonly #nodes: readonly Node[];
  readonly #device: string;
  readonly #stop = new AbortController();
  readonly #faults = new Set<string>();
  readonly #work: Promise<void>;
  #sightings = 0;
  #reported = 0;
  #longestMs = 0;

  constructor(nodes: readonly Node[], device: string) {
    this.#nodes = nodes;
    this.#device = device;
    this.#work = this.#run();
  }

  /** The looks that found a node with files of the storage open. */
  get sightings(): number {
    return this.#sightings;
  }

  /** The longest time between two looks. */
  get longestMs(): number {
    return this.#longestMs;
  }

  /** Returns the faults since the last call; that nothing was seen is one. */
  takeFaults(): string[] {
    const faults = [...this.#faults];
    if (this.#sightings === this.#reported) faults.push("No node was seen with the storage");
    this.#reported = this.#sightings;
    this.#faults.clear();
    return faults;
  }

  /** Ends. */
  async end(): Promise<void> {
    this.#stop.abort();
    await this.#work;
  }

  async #run(): Promise<void> {
    let last = performance.now();
    while (!this.#stop.signal.aborted) {
      this.#look();
      const now = performance.now();
      this.#longestMs = Math.max(this.#longestMs, now - last);
      last = now;
      await delay(TURN_MS, this.#stop.signal);
    }
  }

  #look(): void {
    const mounted = this.#nodes.filter(({ init, isAlive }) => isAlive && isMounted(`${init}`, this.#device));
    if (mounted.length > 1) this.#faults.add(describe("the file system mounted"));
    const users = new Set(findStorageUsers().map(namespaceOf));
    const using = this.#nodes.filter(({ init, isAlive }) => isAlive && users.has(namespaceOf(`${init}`)));
    if (using.length > 0) this.#sightings++;
    if (using.length > 1) this.#faults.add(describe("files open"));
    if (isMounted("self", this.#device)) this.#faults.add("The mount of a node leaked out of it");
  }
}

function describe(hold: Hold): string {
  return `Both nodes had ${hold} at the same time`;
}

function isMounted(process: string, device: string): boolean {
  return readText(`/proc/${process}/mountinfo`).includes(` ${device} `);
}

/** Returns the processes that have files of the storage open. */
function findStorageUsers(): string[] {
  return list("/proc").filter((name) => /^\d+$/.test(name)).filter((process) =>
    list(`/proc/${process}/fd`).some((fd) => readLink(`/proc/${process}/fd/${fd}`).startsWith(`${STORAGE}/`))
  );
}

/** Returns the processes in the namespaces of a node that run `iscsi serve`. */
export function findServers({ init }: Node): number[] {
  const namespace = namespaceOf(`${init}`);
  return list("/proc").filter((name) => /^\d+$/.test(name))
    .filter((process) => readText(`/proc/${process}/cmdline`).includes("\0serve\0"))
    .filter((process) => namespaceOf(process) === namespace)
    .map(Number);
}

function namespaceOf(process: string): string {
  return readLink(`/proc/${process}/ns/mnt`);
}

// Processes end while they are looked at.

function list(folder: string): string[] {
  try {
    return [...Deno.readDirSync(folder)].map(({ name }) => name);
  } catch {
    return [];
  }
}

function readLink(path: string): string {
  try {
    return Deno.readLinkSync(path);
  } catch {
    return "";
  }
}

function readText(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return "";
  }
}
