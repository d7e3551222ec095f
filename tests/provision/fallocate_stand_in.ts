/** Stand-ins for `fallocate`, and shells that find them first. */
import type { HelperGuard } from "../../lib/provision/helper_guard.ts";

/** The part of a guard that a shell needs, and the shells that it started. */
export interface StandInGuard extends Pick<HelperGuard, "startShell"> {
  readonly shells: readonly Deno.ChildProcess[];
}

/** Starts shells without a lock, which find `program` in place of `fallocate`; `folder` holds it. */
export function guardWith(folder: string, program: string): StandInGuard {
  Deno.writeTextFileSync(`${folder}/fallocate`, `#!/bin/sh\n${program}\n`, { mode: 0o755 });
  return guardWithPath(`${folder}:${Deno.env.get("PATH")}`);
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
