/** Hosts of a cluster on one kernel: a program with a host name of its own. */
import { iscsiCommand } from "./server_process.ts";
import { runTool, type ToolResult } from "./tools.ts";

/** Returns the words before a command that make it run on a host of this name. */
export function onHost(name: string): readonly string[] {
  const script = `echo ${name} > /proc/sys/kernel/hostname && exec "$@"`;
  return ["unshare", "--uts", ...(Deno.uid() === 0 ? [] : ["--map-root-user"]), "sh", "-c", script, "sh"];
}

/** Runs a command of the program to its end, on a host of this name. */
export function runIscsiOn(host: string, words: readonly string[]): Promise<ToolResult> {
  const { program, args } = iscsiCommand();
  const [wrapper, ...rest] = onHost(host);
  return runTool(wrapper!, [...rest, program, ...args, ...words]);
}

/** Returns the reason why no program can have a host name of its own here; undefined when one can. */
export function findHostObstacle(): string | undefined {
  const [program, ...args] = onHost("iscsi-other");
  try {
    const { success } = new Deno.Command(program!, { args: [...args, "true"], stderr: "null" }).outputSync();
    return success ? undefined : "no host names of its own";
  } catch {
    return "no unshare";
  }
}
