import { dirname } from "@std/path";

/** The folders in which a shell looks for the programs of root. */
const PROGRAM_FOLDERS = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/** The program that runs. */
export interface RunningProgram {
  /** It is compiled; otherwise it is Deno, which runs the source. */
  readonly isCompiled: boolean;
  readonly path: string;
  /** The version of Deno. */
  readonly denoVersion: string;
}

/** Returns the words that a person types before a command, as this process was started. */
export function invocation(program: RunningProgram = runningProgram()): string {
  const { isCompiled, path, denoVersion } = program;
  if (isCompiled) return PROGRAM_FOLDERS.includes(dirname(path)) ? "iscsi" : path;
  // npx runs Deno from its cache.
  const deno = path.includes("/_npx/") ? `npx -y deno@${denoVersion}` : "deno";
  return `${deno} task iscsi`;
}

function runningProgram(): RunningProgram {
  return {
    isCompiled: Deno.build.standalone,
    path: Deno.execPath(),
    denoVersion: Deno.version.deno,
  };
}
