/** A copy of the tree in which faults are made, and the tests that are run in it. */
import { dirname, join } from "@std/path";
import { runToolOk } from "../support/tools.ts";

/** Memory that a test process may take: a fault that allocates without end must not take the machine's. */
const HEAP_MEBIBYTES = 1024;

/** The outcome of a run of tests. */
export type TestRun =
  | { readonly kind: "passed" }
  /** The first test that failed, or what else went wrong. */
  | { readonly kind: "failed"; readonly test: string }
  | { readonly kind: "hung" };

/** A copy of the files that git tracks or would add, with a folder for the files of its tests. */
export class ScratchTree {
  readonly #folder: string;
  /** The text of the one file that differs from the original, by its path. */
  #fault: { readonly path: string; readonly text: string } | undefined;

  /** Copies a tree. */
  static async copy(root: string): Promise<ScratchTree> {
    const list = ["-C", root, "ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    const paths = (await runToolOk("git", list)).split("\0").filter((path) => path !== "");
    const folder = Deno.makeTempDirSync({ prefix: "iscsi-mutate-" });
    for (const path of paths) copyFile(join(root, path), join(folder, "tree", path));
    Deno.mkdirSync(join(folder, "tmp"));
    return new ScratchTree(folder);
  }

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** Returns a path of the copy. */
  pathOf(path: string): string {
    return join(this.#folder, "tree", path);
  }

  /** Puts a text in place of that of a file, and the original back in place of the one before. */
  setFault(path: string, text: string): void {
    this.clearFault();
    this.#fault = { path, text: Deno.readTextFileSync(this.pathOf(path)) };
    Deno.writeTextFileSync(this.pathOf(path), text);
  }

  /** Makes the copy what the original is. */
  clearFault(): void {
    if (this.#fault !== undefined) Deno.writeTextFileSync(this.pathOf(this.#fault.path), this.#fault.text);
    this.#fault = undefined;
  }

  /** Runs tests up to the first that fails. All that they started is ended when the time is over. */
  async test(paths: readonly string[], limitMs: number): Promise<TestRun> {
    // A session of its own, so servers that a test started end with it.
    const child = new Deno.Command("setsid", {
      args: [
        Deno.execPath(),
        "test",
        "--quiet",
        "--no-check",
        "--allow-all",
        "--fail-fast",
        ...v8Flags(),
        ...paths,
      ],
      cwd: join(this.#folder, "tree"),
      env: { NO_COLOR: "1", TMPDIR: join(this.#folder, "tmp") },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      endGroup(child.pid);
    }, limitMs);
    const { success, stdout, stderr } = await child.output().finally(() => clearTimeout(timer));
    endGroup(child.pid);
    this.#emptyTemporary();
    if (isLate) return { kind: "hung" };
    return success ? { kind: "passed" } : { kind: "failed", test: firstFailure(stdout, stderr) };
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.#folder, { recursive: true });
  }

  #emptyTemporary(): void {
    const folder = join(this.#folder, "tmp");
    Deno.removeSync(folder, { recursive: true });
    Deno.mkdirSync(folder);
  }
}

function v8Flags(): string[] {
  return [`--v8-flags=--max-old-space-size=${HEAP_MEBIBYTES}`];
}

function copyFile(from: string, to: string): void {
  // A file that git tracks may have been deleted.
  const info = statOrUndefined(from);
  if (info?.isFile !== true) return;
  Deno.mkdirSync(dirname(to), { recursive: true });
  Deno.copyFileSync(from, to);
}

function statOrUndefined(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.statSync(path);
  } catch {
    return undefined;
  }
}

/** Ends what is left of a process group. */
function endGroup(leader: number): void {
  try {
    Deno.kill(-leader, "SIGKILL");
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound) && !/os error 3/.test(String(error))) throw error;
  }
}

function firstFailure(stdout: Uint8Array, stderr: Uint8Array): string {
  const text = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes)).join("\n");
  const failed = /^(.+?) => (\S+)$/m.exec(text.slice(Math.max(0, text.indexOf(" FAILURES ")))) ?? undefined;
  if (failed !== undefined) return failed[1]!;
  const error = text.split("\n").find((line) => /error: /i.test(line));
  return error?.trim() ?? "the test process ended";
}
