/** Records a workload that is done by the product's programs, with strace. */
import { fromFileUrl, join } from "@std/path";
import { runToolOk } from "../support/tools.ts";
import { Disk } from "./_disk.ts";
import { assertComplete, type Recorded } from "./_explore.ts";
import type { Note } from "./_notes.ts";
import { LOG, placesIn, ROOT_FOLDER } from "./_places.ts";
import { readStraceLog, TRACED } from "./_strace_log.ts";
import { readTree } from "./_tree_files.ts";
import type { Workload } from "./_world.ts";

/** Longest string that strace prints: no write is longer. */
const STRING_BYTES = 4 * 1024 * 1024;

const PROGRAM = fromFileUrl(new URL("./_program.ts", import.meta.url));
const CONFIG = fromFileUrl(new URL("../../deno.json", import.meta.url));

/** Does a workload in a folder of its own, by its real path, and records it. */
export async function recordPrograms(workload: Workload, folder: string): Promise<Recorded> {
  const root = join(folder, ROOT_FOLDER);
  Deno.mkdirSync(root);
  const options = ["run", "--quiet", "--no-check", "--config", CONFIG, "--allow-all", PROGRAM];
  const [program, ...args] = [Deno.execPath(), ...options, workload.name, folder] as const;
  await runToolOk(program, [...args, "prepare"]);
  const { notes } = placesIn(folder);
  const notesBefore = readNotes(notes);
  const before = new Disk(readTree(root));
  Deno.removeSync(notes);
  const strace = ["-f", "-y", "-xx", "--seccomp-bpf", "-s", String(STRING_BYTES), "-o", join(folder, LOG)];
  await runToolOk("strace", [...strace, "-e", `trace=${TRACED.join(",")}`, program, ...args, "run"]);
  const log = Deno.readTextFileSync(join(folder, LOG));
  const recording = readStraceLog<Note>(log, root, notes);
  assertComplete(before, recording, root);
  return { before, notesBefore, recording };
}

function readNotes(path: string): Note[] {
  return Deno.readTextFileSync(path).split("\n").filter((line) => line !== "").map((line) =>
    JSON.parse(line)
  );
}
