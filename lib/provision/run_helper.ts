import { setTimer } from "../base/delay.ts";
import { ProvisionError } from "./provision_error.ts";

/** The programs for operations that Deno lacks, each with its package. */
const HELPERS = {
  chattr: "e2fsprogs",
  cp: "coreutils",
  fallocate: "util-linux",
  filefrag: "e2fsprogs",
  flock: "util-linux",
  lsblk: "util-linux",
  lslocks: "util-linux",
  mknod: "coreutils",
} as const;

/** The exit status requested of `flock` for a taken lock. No helper uses it. */
export const FLOCK_CONFLICT_CODE = 75;

/** The name of a helper. */
export type Helper = keyof typeof HELPERS;

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
    return resultOf(commandOf(program, args).outputSync());
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
    const command = new Deno.Command(program, { args: [...args], stdin: "null", env: ENVIRONMENT, signal });
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
 * @throws {ProvisionError} when it cannot be run
 */
export function startHelper(program: Helper, args: readonly string[]): Deno.ChildProcess {
  const streams = { stdin: "piped", stdout: "piped", stderr: "piped" } as const;
  try {
    return new Deno.Command(program, { args: [...args], ...streams, env: ENVIRONMENT }).spawn();
  } catch (error) {
    throw cannotRun(program, error);
  }
}

/** The locale for helpers: their output is parsed, so it must be in English. */
const ENVIRONMENT = { LC_ALL: "C" } as const;

function commandOf(program: Helper, args: readonly string[]): Deno.Command {
  return new Deno.Command(program, { args: [...args], stdin: "null", env: ENVIRONMENT });
}

function resultOf({ success, stdout, stderr }: Deno.CommandOutput): HelperResult {
  const decoder = new TextDecoder();
  return { success, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr).trimEnd() };
}

/** Describes a missing helper, with its package. */
export function describeMissing(program: Helper): string {
  return `Cannot run "${program}": is it installed (package ${HELPERS[program]})?`;
}

function cannotRun(program: Helper, error: unknown): ProvisionError {
  // A program that is missing at the start is dropped from Deno's rights, which then reports NotCapable.
  const isMissing = error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotCapable;
  const message = isMissing ? describeMissing(program) : `Cannot run "${program}": ${error}`;
  return new ProvisionError(message, { cause: error });
}
