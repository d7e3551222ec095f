import type { ByteRange } from "../store/byte_range.ts";
import type { HelperGuard } from "./helper_guard.ts";
import { HoleShell } from "./hole_shell.ts";
import { ProvisionError } from "./provision_error.ts";

/** Programs that make holes in one file system at a time. Each delays the end of a server that waits for it. */
export const PROGRAMS_MAX = 2;

/** Shells that are kept for the next hole: those of two file systems that are busy at the same time. */
const IDLE_MAX = 2 * PROGRAMS_MAX;

/** The right to make one hole at a time in a file system, until it is disposed of. */
export interface HolePlace extends Disposable {
  /** Makes one hole, or returns why not. `path` is absolute. */
  punch(path: string, range: ByteRange): Promise<string | undefined>;
}

/**
 * The programs that make holes in one run of the server. File systems are independent: one that hangs delays no hole
 * in another. Shells belong to none of them, start when they are first needed, and start again after they were killed.
 */
export class HolePrograms {
  readonly #guard: Pick<HelperGuard, "startShell">;
  readonly #idle: HoleShell[] = [];
  /** By the number of the file system. */
  readonly #places = new Map<number, Places>();

  constructor(guard: Pick<HelperGuard, "startShell">) {
    this.#guard = guard;
  }

  /** Waits for a place in a file system, given by its number. */
  async placeIn(fileSystem: number): Promise<HolePlace> {
    const places = this.#places.get(fileSystem) ?? new Places();
    this.#places.set(fileSystem, places);
    await places.take();
    return {
      punch: (path, range) => this.#punch(path, range),
      [Symbol.dispose]: () => {
        places.giveBack();
        if (places.areFree) this.#places.delete(fileSystem);
      },
    };
  }

  /** Ends the shells. No hole may be under way. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#idle.splice(0).map((shell) => shell.end()));
  }

  async #punch(path: string, range: ByteRange): Promise<string | undefined> {
    let shell: HoleShell;
    try {
      shell = this.#takeShell();
    } catch (error) {
      if (error instanceof ProvisionError) return error.message;
      throw error;
    }
    const fault = await shell.punch(path, range);
    if (!shell.isOver && this.#idle.length < IDLE_MAX) this.#idle.push(shell);
    else await shell.end();
    return fault;
  }

  /** @throws {ProvisionError} when none can be started */
  #takeShell(): HoleShell {
    let shell = this.#idle.pop();
    while (shell?.isOver) shell = this.#idle.pop();
    return shell ?? new HoleShell(this.#guard);
  }
}

/** The places of a file system. Whoever waits gets one in the order of arrival. */
class Places {
  #free = PROGRAMS_MAX;
  readonly #waiting: (() => void)[] = [];

  get areFree(): boolean {
    return this.#free === PROGRAMS_MAX;
  }

  async take(): Promise<void> {
    if (this.#free === 0) return await new Promise((resolve) => this.#waiting.push(resolve));
    this.#free--;
  }

  giveBack(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free++;
    else next();
  }
}
