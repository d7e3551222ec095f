import { ProvisionError } from "./provision_error.ts";

/** The programs that do what Deno has no call for, each with the package that it comes in. */
const HELPERS = {
  chattr: "e2fsprogs",
  fallocate: "util-linux",
  flock: "util-linux",
  lsblk: "util-linux",
  lslocks: "util-linux",
  mknod: "coreutils",
} as const;

/** The name of a helper. */
export type Helper = keyof typeof HELPERS;

/** What a helper has said. */
export interface HelperResult {
  readonly success: boolean;
  readonly stdout: string;
  /** In English, without the line feed at its end. */
  readonly stderr: string;
}

/**
 * Runs a helper to its end.
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
 * Starts a helper that runs until its standard input ends, which is at the latest when this process does.
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

/** What helpers say is looked at, so they say it in English. */
const ENVIRONMENT = { LC_ALL: "C" } as const;

function commandOf(program: Helper, args: readonly string[]): Deno.Command {
  return new Deno.Command(program, { args: [...args], stdin: "null", env: ENVIRONMENT });
}

function resultOf({ success, stdout, stderr }: Deno.CommandOutput): HelperResult {
  const decoder = new TextDecoder();
  return { success, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr).trimEnd() };
}

/** Describes a helper that is not found, with the package that has it. */
export function describeMissing(program: Helper): string {
  return `Cannot run "${program}": is it installed (package ${HELPERS[program]})?`;
}

function cannotRun(program: Helper, error: unknown): ProvisionError {
  // A program that is not there is one that Deno was given no right to run, or one that it does not find.
  const isMissing = error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotCapable;
  const message = isMissing ? describeMissing(program) : `Cannot run "${program}": ${error}`;
  return new ProvisionError(message, { cause: error });
}
