/**
 * Programs that change what a server serves, and the means by which the next server waits for them.
 *
 * A program outlives a server that was killed. So each one runs under a shared lock (flock) of a file in a folder that
 * belongs to one run of the server: `flock --no-fork` becomes the program, and the lock is held until the program has
 * ended, in whatever way. The next server takes the lock exclusively, keeps it, and removes the folder. From then on no
 * program of its predecessor runs, and none can begin: a `flock` that arrives late finds no folder, or a lock that is
 * taken.
 *
 * `build` needs no such wait. A program that is late makes zero what an initiator has unmapped, in the file that was
 * served, and below the size that it had; it never makes a file longer, shorter or another one. A build looks only at
 * sizes and identities, and only makes files longer, or creates them.
 */
import { dirname, join } from "@std/path";
import { findLockOwner } from "./lock_owner.ts";
import { entriesOf, makeFolder } from "./passing_folder.ts";
import { ProvisionError, reasonOf } from "./provision_error.ts";
import { type Helper, type HelperResult, runHelper, runHelperAside } from "./run_helper.ts";
import { helpersFolderOf } from "./state_folder.ts";

const LOCK_NAME = "lock";
const LOCK_MODE = 0o600;

/** Longest name of a file (NAME_MAX). */
const NAME_LENGTH_MAX = 255;

/** What `flock` ends with when the lock is taken: no helper ends with it. */
const CONFLICT_CODE = 75;

/** Milliseconds between two attempts to take a lock: the first, and the most. */
const ATTEMPT_MS_MIN = 5;
const ATTEMPT_MS_MAX = 100;

/** Milliseconds of waiting after which a server says what it waits for. */
const PATIENCE_MS = 1_000;

/** The system's word for a folder that is not empty, for which Deno has no class. */
const NOT_EMPTY = /\(os error 39\)/;

/** Runs the programs of one run of the server. */
export class HelperGuard {
  /** The folder of this run. The target worker has no right to it, and the next server removes all that is in it. */
  readonly folder: string;
  readonly #lock: string;
  /** Locks of earlier runs, kept so that nothing that comes late can take them. */
  readonly #seized: readonly Deno.FsFile[];
  /** Why no program can be run, as on a file system without inodes left: all else is served. */
  readonly #fault: ProvisionError | undefined;
  #lastName = 0;

  /**
   * Waits until no program that an earlier server started runs, for as long as that takes, and begins a run. No other
   * process may serve the storage folder.
   *
   * @param onWait is told what it waits for, when that takes long
   * @throws {ProvisionError} (rejects) when what earlier servers have left cannot be removed
   */
  static async open(storage: string, onWait: (message: string) => void): Promise<HelperGuard> {
    const folder = helpersFolderOf(storage);
    const seized: Deno.FsFile[] = [];
    try {
      for (const run of entriesOf(folder)) await endRun(join(folder, run), seized, onWait);
      return new HelperGuard(join(folder, crypto.randomUUID()), seized);
    } catch (error) {
      for (const lock of seized) lock.close();
      throw error;
    }
  }

  private constructor(folder: string, seized: readonly Deno.FsFile[]) {
    this.folder = folder;
    this.#lock = join(folder, LOCK_NAME);
    this.#seized = seized;
    // Now, and not when a program is first run: the file system may be full by then, and space is to be given back.
    this.#fault = faultOf(() => {
      makeFolder(folder);
      makeLock(this.#lock);
    });
  }

  /**
   * Names a link for a program to reach a file by, in the folder of this run. The name says which file it is, for the
   * message of a server that waits for the program.
   */
  linkTo(path: string): string {
    const number = String(++this.#lastName);
    const name = `${number}${encodeURIComponent(path)}`;
    return join(this.folder, name.length > NAME_LENGTH_MAX ? number : name);
  }

  /**
   * Runs a program that changes a backing file or device. Resolves when it has ended; everything else goes on
   * meanwhile.
   *
   * @throws {ProvisionError} (rejects) when it cannot be run
   */
  async run(program: Helper, args: readonly string[]): Promise<HelperResult> {
    return await runHelperAside("flock", this.#guarded(program, args));
  }

  /**
   * Runs such a program to its end.
   *
   * @throws {ProvisionError} when it cannot be run
   */
  runNow(program: Helper, args: readonly string[]): HelperResult {
    return runHelper("flock", this.#guarded(program, args));
  }

  /** Removes the folder of this run, unless a program still runs: then the next server waits for that. */
  [Symbol.dispose](): void {
    const own: Deno.FsFile[] = [];
    if (locksIn(this.folder).every((path) => tryToSeize(path, own) === "seized")) emptyRun(this.folder);
    for (const lock of [...own, ...this.#seized]) lock.close();
  }

  #guarded(program: Helper, args: readonly string[]): readonly string[] {
    if (this.#fault !== undefined) throw this.#fault;
    const options = ["--shared", "--nonblock", "--no-fork", "--conflict-exit-code", String(CONFLICT_CODE)];
    return [...options, this.#lock, program, ...args];
  }
}

function faultOf(act: () => void): ProvisionError | undefined {
  try {
    act();
    return undefined;
  } catch (error) {
    if (error instanceof ProvisionError) return error;
    throw error;
  }
}

function makeLock(path: string): void {
  try {
    Deno.openSync(path, { write: true, createNew: true, mode: LOCK_MODE }).close();
  } catch (error) {
    throw new ProvisionError(`Cannot create "${path}": ${reasonOf(error)}`, { cause: error });
  }
}

/**
 * Waits until no program of a run is there, and lets none begin.
 *
 * A `flock` that looks for its lock between the removal of that and the removal of the folder makes the lock again.
 * Then the folder is not empty, and cannot be removed: so it takes another round.
 */
async function endRun(run: string, seized: Deno.FsFile[], onWait: (message: string) => void): Promise<void> {
  do {
    for (const path of locksIn(run)) await seize(path, seized, onWait);
  } while (!emptyRun(run));
}

/** The lock of a run, as long as it is there. */
function locksIn(run: string): string[] {
  return entriesOf(run).filter((name) => name === LOCK_NAME).map((name) => join(run, name));
}

async function seize(path: string, seized: Deno.FsFile[], onWait: (message: string) => void): Promise<void> {
  const startMs = performance.now();
  let hasTold = false;
  for (let pauseMs = ATTEMPT_MS_MIN; tryToSeize(path, seized) === "taken";) {
    if (!hasTold && performance.now() - startMs > PATIENCE_MS) {
      onWait(describeWait(path));
      hasTold = true;
    }
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
    pauseMs = Math.min(2 * pauseMs, ATTEMPT_MS_MAX);
  }
}

function tryToSeize(path: string, seized: Deno.FsFile[]): "seized" | "taken" {
  let lock: Deno.FsFile;
  try {
    lock = Deno.openSync(path, { read: true, write: true });
  } catch (error) {
    throw new ProvisionError(`Cannot open "${path}": ${reasonOf(error)}`, { cause: error });
  }
  if (lock.tryLockSync(true)) {
    seized.push(lock);
    return "seized";
  }
  lock.close();
  return "taken";
}

function describeWait(lock: string): string {
  const owner = findLockOwner(Deno.statSync(lock));
  const program = owner === undefined ? "a program" : `"${owner.command}" (process ${owner.pid})`;
  const files = entriesOf(dirname(lock)).flatMap(fileNamedBy).map((path) => `"${path}"`).join(", ");
  return `Waiting for ${program} that an earlier server started: it may still change ` +
    `${files === "" ? "a disk" : files}, so nothing is served before it has ended`;
}

/** The file that a link leads to, by its name; none when that does not say. */
function fileNamedBy(link: string): string[] {
  const encoded = link.replace(/^\d+/, "");
  return encoded === "" || link === LOCK_NAME ? [] : [decodeURIComponent(encoded)];
}

/** Removes what a run has left, links first, and returns whether that is all. */
function emptyRun(run: string): boolean {
  const names = entriesOf(run);
  try {
    for (const name of names) {
      if (name !== LOCK_NAME) Deno.removeSync(join(run, name), { recursive: true });
    }
    if (names.includes(LOCK_NAME)) Deno.removeSync(join(run, LOCK_NAME));
    Deno.removeSync(run);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return true;
    if (error instanceof Error && NOT_EMPTY.test(error.message)) return false;
    throw new ProvisionError(`Cannot remove folder "${run}": ${reasonOf(error)}`, { cause: error });
  }
}
