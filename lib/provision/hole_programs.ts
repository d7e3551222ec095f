import type { ByteRange } from "../store/byte_range.ts";
import type { HelperGuard } from "./helper_guard.ts";
import { type HoleProgram, HoleShell } from "./hole_shell.ts";
import { ProvisionError } from "./provision_error.ts";

/** The most programs that make holes in one file system at the same time. A server that stops waits for each. */
export const PROGRAMS_MAX = 2;

/**
 * The most programs in all file systems, so that many disks do not take all processors. File systems that hang can
 * delay others only when there are eight of them.
 */
export const ALL_PROGRAMS_MAX = 16;

/** The most idle shells that are kept: enough for two busy file systems. */
const IDLE_MAX = 2 * PROGRAMS_MAX;

/** A slot of a file system, in which one request is made at a time. Disposing of it frees it. */
export interface HoleSlot extends Disposable {
  /** Makes holes, in a file if not stated otherwise, or returns the fault. `path` is absolute. */
  punch(path: string, ranges: readonly ByteRange[], program?: HoleProgram): Promise<string | undefined>;
}

/**
 * The programs that make holes in one run of the server. File systems have slots of their own, so one that hangs does
 * not delay another. Shells are shared, start when they are needed, and are replaced when they are killed.
 */
export class HolePrograms {
  readonly #guard: Pick<HelperGuard, "startShell">;
  readonly #idle: HoleShell[] = [];
  /** By the number of the file system. */
  readonly #slots = new Map<number, Slots>();
  readonly #allSlots = new Slots(ALL_PROGRAMS_MAX);

  constructor(guard: Pick<HelperGuard, "startShell">) {
    this.#guard = guard;
  }

  /** Waits for a slot of a file system, given by its number. */
  async slotIn(fileSystem: number): Promise<HoleSlot> {
    const slots = this.#slots.get(fileSystem) ?? new Slots(PROGRAMS_MAX);
    this.#slots.set(fileSystem, slots);
    await slots.acquire();
    await this.#allSlots.acquire();
    return {
      punch: (path, ranges, program = "fallocate") => this.#punch(path, ranges, program),
      [Symbol.dispose]: () => {
        this.#allSlots.release();
        slots.release();
        if (slots.areFree) this.#slots.delete(fileSystem);
      },
    };
  }

  /** Ends the shells. No hole may be in progress. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#idle.splice(0).map((shell) => shell.end()));
  }

  async #punch(
    path: string,
    ranges: readonly ByteRange[],
    program: HoleProgram,
  ): Promise<string | undefined> {
    let shell: HoleShell;
    try {
      shell = this.#takeShell(program);
    } catch (error) {
      if (error instanceof ProvisionError) return error.message;
      throw error;
    }
    const fault = await shell.punch(path, ranges);
    if (!shell.isOver && this.#idle.length < IDLE_MAX) this.#idle.push(shell);
    else await shell.end();
    return fault;
  }

  /** @throws {ProvisionError} when none can be started */
  #takeShell(program: HoleProgram): HoleShell {
    for (let index = this.#idle.length - 1; index >= 0; index--) {
      const shell = this.#idle[index]!;
      if (!shell.isOver && shell.program !== program) continue;
      this.#idle.splice(index, 1);
      if (!shell.isOver) return shell;
    }
    return new HoleShell(this.#guard, program);
  }
}

/** Slots that are given out in the order of requests. */
class Slots {
  readonly #count: number;
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(count: number) {
    this.#count = count;
    this.#free = count;
  }

  get areFree(): boolean {
    return this.#free === this.#count;
  }

  async acquire(): Promise<void> {
    if (this.#free === 0) return await new Promise((resolve) => this.#waiting.push(resolve));
    this.#free--;
  }

  release(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free++;
    else next();
  }
}
