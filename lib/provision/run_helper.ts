import { ProvisionError } from "./provision_error.ts";

/** The programs that do what Deno has no call for, each with the package that it comes in. */
const HELPERS = {
  chattr: "e2fsprogs",
  fallocate: "util-linux",
  lsblk: "util-linux",
  mknod: "coreutils",
} as const;

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
export function runHelper(program: keyof typeof HELPERS, args: readonly string[]): HelperResult {
  const command = new Deno.Command(program, { args: [...args], stdin: "null", env: { LC_ALL: "C" } });
  try {
    const { success, stdout, stderr } = command.outputSync();
    const decoder = new TextDecoder();
    return { success, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr).trimEnd() };
  } catch (error) {
    // A program that is not there is one that Deno was given no right to run, or one that it does not find.
    const isMissing = error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotCapable;
    const reason = isMissing ? `is it installed (package ${HELPERS[program]})?` : String(error);
    throw new ProvisionError(`Cannot run "${program}": ${reason}`, { cause: error });
  }
}
