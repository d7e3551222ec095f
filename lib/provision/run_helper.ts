import { setTimer } from "../base/delay.ts";
import { ProvisionError } from "./provision_error.ts";

/** The programs for operations that Deno lacks, each with its package. */
const HELPERS = {
  chattr: "e2fsprogs",
  cp: "coreutils",
  fallocate: "util-linux",
  filefrag: "e2fsprogs",
  findmnt: "util-linux",
  flock: "util-linux",
  lsblk: "util-linux",
  lslocks: "util-linux",
  mknod: "coreutils",
  "systemd-notify": "systemd",
} as const;

/** The programs that only a shell starts, which needs no right to them, each with its package. */
const SHELL_PROGRAMS = { blkdiscard: "util-linux" } as const;

/** The exit status requested of `flock` for a taken lock. No helper uses it. */
export const FLOCK_CONFLICT_CODE = 75;

/** The name of a helper. */
export type Helper = keyof typeof HELPERS;

/** The names of all helpers. */
export const HELPER_NAMES = Object.keys(HELPERS) as readonly Helper[];

/**
 * The folders of helpers, in the order of search. Every distribution has them in one of these. The rights of this
 * program name each helper in each folder, because Deno compares paths without resolving links.
 */
export const HELPER_FOLDERS = ["/usr/bin", "/bin", "/usr/sbin", "/sbin"] as const;

/** The result of a helper. */
export interface HelperResult {
  readonly success: boolean;
  readonly stdout: string;
  /** In English, without the last line feed. */
  readonly stderr: string;
}

/**
 * Runs a helper, and waits for it.
 *
 * @throws {ProvisionError} when it cannot be run
 */
export function runHelper(program: Helper, args: readonly string[]): HelperResult {
  try {
    return resultOf(
      new Deno.Command(program, { args: [...args], stdin: "null", ...SURROUNDINGS }).outputSync(),
    );
  } catch (error) {
    throw cannotRun(program, error);
  }
}

/**
 * Runs a helper in the background, and ends it after a limit.
 *
 * @throws {ProvisionError} (rejects) when it cannot be run
 */
export async function runHelperWithin(
  program: Helper,
  args: readonly string[],
  limitMs: number,
): Promise<HelperResult> {
  const controller = new AbortController();
  const cancel = setTimer(limitMs, () => controller.abort());
  try {
    const { signal } = controller;
    const command = new Deno.Command(program, { args: [...args], stdin: "null", ...SURROUNDINGS, signal });
    return resultOf(await command.output());
  } catch (error) {
    throw cannotRun(program, error);
  } finally {
    cancel();
  }
}

/**
 * Starts a helper that runs until its standard input ends, at the latest when this process ends.
 *
 * @param env variables for this helper, besides those of all
 * @throws {ProvisionError} when it cannot be run
 */
export function startHelper(
  program: Helper,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Deno.ChildProcess {
  const streams = { stdin: "piped", stdout: "piped", stderr: "piped" } as const;
  const surroundings = { ...SURROUNDINGS, env: { ...SURROUNDINGS.env, ...env } };
  try {
    return new Deno.Command(program, { args: [...args], ...streams, ...surroundings }).spawn();
  } catch (error) {
    throw cannotRun(program, error);
  }
}

/**
 * The environment and the folder of helpers, which are the same however this program was started. The locale makes
 * their output English, because it is parsed. Deno, `flock` and `sh` find programs by PATH. The working folder of this
 * process may not exist.
 */
const SURROUNDINGS = {
  clearEnv: true,
  env: { LC_ALL: "C", PATH: HELPER_FOLDERS.join(":") },
  cwd: "/",
} as const;

function resultOf({ success, stdout, stderr }: Deno.CommandOutput): HelperResult {
  const decoder = new TextDecoder();
  return { success, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr).trimEnd() };
}

/** Describes a missing helper, with its package. */
export function describeMissing(program: Helper | keyof typeof SHELL_PROGRAMS): string {
  const packageName = { ...HELPERS, ...SHELL_PROGRAMS }[program];
  return `Cannot run "${program}": is it installed (package ${packageName})?`;
}

function cannotRun(program: Helper, error: unknown): ProvisionError {
  // Deno reports NotCapable for a program that the rights do not name.
  const isMissing = error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotCapable;
  const message = isMissing ? describeMissing(program) : `Cannot run "${program}": ${error}`;
  return new ProvisionError(message, { cause: error });
}
