/** Stand-ins for `fallocate`, and shells that find them first. */
import type { HelperGuard } from "../../lib/provision/helper_guard.ts";
import { HELPER_FOLDERS } from "../../lib/provision/run_helper.ts";

/** The part of a guard that a shell needs, and the shells that it started. */
export interface StandInGuard extends Pick<HelperGuard, "startShell"> {
  readonly shells: readonly Deno.ChildProcess[];
}

/**
 * Starts shells without a lock, which find `program` in place of `fallocate`, and no program that makes many holes;
 * `folder` holds it.
 */
export function guardWith(folder: string, program: string): StandInGuard {
  Deno.writeTextFileSync(`${folder}/fallocate`, `#!/bin/sh\n${program}\n`, { mode: 0o755 });
  return guardWithOnly(folder, ["sleep"]);
}

/** Starts shells without a lock, which find what is in `folder`, and some programs of the system. */
export function guardWithOnly(folder: string, names: readonly string[]): StandInGuard {
  for (const name of names) {
    const path = HELPER_FOLDERS.map((place) => `${place}/${name}`).find(exists);
    if (path !== undefined && !exists(`${folder}/${name}`)) Deno.symlinkSync(path, `${folder}/${name}`);
  }
  return guardWithPath(folder);
}

/** Starts shells without a lock, which look for `fallocate` in a path. */
export function guardWithPath(path: string): StandInGuard {
  const shells: Deno.ChildProcess[] = [];
  const env = { LC_ALL: "C", PATH: path };
  return {
    shells,
    startShell(script, args): Deno.ChildProcess {
      const shell = startShell(["-c", script, "sh", ...args], env);
      shells.push(shell);
      return shell;
    },
  };
}

/** Starts a shell as a guard does. */
export function startShell(args: readonly string[], env: Record<string, string> = {}): Deno.ChildProcess {
  const streams = { stdin: "piped", stdout: "piped", stderr: "piped" } as const;
  return new Deno.Command("/bin/sh", { args: [...args], env, ...streams }).spawn();
}

/** Reports whether a stand-in has made a file, which marks its progress. */
export function exists(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}
