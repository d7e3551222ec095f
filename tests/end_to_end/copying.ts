/** The `copy` command in tests. */
import { assertEquals } from "@std/assert";
import { delay } from "../../lib/base/delay.ts";
import { iscsiCommand } from "../support/server_process.ts";
import type { Appliance } from "./appliance.ts";

const TEMPORARY = /^\.iscsi-copy-/;

/** Returns the arguments of a copy for the conf of an appliance. */
export function copyArguments(appliance: Appliance, ...rest: readonly string[]): string[] {
  return ["copy", "--conf", appliance.confPath, ...rest];
}

/** Starts a command of the program, and does not wait for its end. */
export function startCommand(
  words: readonly string[],
  streams: Pick<Deno.CommandOptions, "stdin" | "stdout" | "stderr"> = {},
): Deno.ChildProcess {
  const { program, args } = iscsiCommand();
  return new Deno.Command(program, {
    args: [...args, ...words],
    ...{ stdin: "null", stdout: "null", stderr: "null", ...streams },
  }).spawn();
}

/** Returns the unfinished copies in a folder. */
export function temporaries(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => name).filter((name) => TEMPORARY.test(name));
}

/** Waits until a list of files is empty. */
export async function untilGone(list: () => readonly string[]): Promise<void> {
  for (let round = 0; round < 400 && list().length > 0; round++) await delay(25);
  assertEquals(list(), []);
}
