/** Atomic writes and SIGKILL, with real processes. */
import { assert, assertEquals } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { recoverAtomicWrites } from "../../lib/store/atomic_recovery.ts";
import { FileStore } from "../../lib/store/file_store.ts";
import { numberFromEnvironment, seededRandom } from "../support/seeded_random.ts";
import { LENGTH, OFFSET, OWNER, SIZE } from "./_atomic_writer.ts";

const SEED = numberFromEnvironment("FUZZ_SEED", 20070101);
const WRITER = fromFileUrl(new URL("./_atomic_writer.ts", import.meta.url));
const CONFIG = fromFileUrl(new URL("../../deno.json", import.meta.url));

/** Runs the writer and kills it after a time. */
async function runAndKill(file: string, journal: string, delayMs: number): Promise<void> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--quiet",
      "--no-check",
      "--config",
      CONFIG,
      "--allow-read",
      "--allow-write",
      WRITER,
      file,
      journal,
    ],
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const reader = child.stdout.getReader();
  const { value } = await reader.read();
  assertEquals(new TextDecoder().decode(value), "ready\n");
  await new Promise((resolve) => setTimeout(resolve, delayMs));
  child.kill("SIGKILL");
  await child.status;
  while (!(await reader.read()).done);
}

interface Left {
  readonly isTorn: boolean;
  readonly wasTakenBack: boolean;
  /** Returns whether the bytes around the range are unchanged. */
  readonly isUntouchedAround: boolean;
}

/** Opens a store again after the death of its process, and returns its state. */
function open(file: string, journal: string): Left {
  const store = FileStore.open(file, { sizeBytes: SIZE, readOnly: false });
  const wasTakenBack = recoverAtomicWrites(journal, OWNER, store)?.kind === "restored";
  const bytes = new Uint8Array(SIZE);
  store.readNow(0, bytes);
  store.close();
  const range = bytes.subarray(OFFSET, OFFSET + LENGTH);
  const around = [bytes.subarray(0, OFFSET), bytes.subarray(OFFSET + LENGTH)];
  return {
    isTorn: range.some((byte) => byte !== range[0]),
    wasTakenBack,
    isUntouchedAround: around.every((part) => part.every((byte) => byte === 0)),
  };
}

/** The minimum number of kills, and the maximum until one interrupts a write. */
const DEATHS_MIN = 8;
const DEATHS_MAX = 60;

/** Kills a writer in its work, and looks each time at what it has left. */
async function killRepeatedly(
  hasJournal: boolean,
  wasInTheMiddle: (left: Left) => boolean,
): Promise<readonly Left[]> {
  const folder = Deno.makeTempDirSync({ prefix: "iscsi-kill-" });
  try {
    const [file, journal] = [`${folder}/disk`, `${folder}/journal`];
    Deno.writeFileSync(file, new Uint8Array(SIZE));
    const all: Left[] = [];
    const random = seededRandom(SEED);
    // Much of the time is spent on flushes, in which nothing is half done.
    while (all.length < DEATHS_MIN || (all.length < DEATHS_MAX && !all.some(wasInTheMiddle))) {
      await runAndKill(file, hasJournal ? journal : "none", 5 + random(60));
      all.push(open(file, journal));
    }
    assert(all.some(wasInTheMiddle), `none was killed in the middle of a write, of ${all.length}`);
    return all;
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

Deno.test(`a process killed during an atomic write leaves nothing torn (FUZZ_SEED=${SEED})`, async () => {
  const all = await killRepeatedly(true, ({ wasTakenBack }) => wasTakenBack);
  assertEquals(all.filter(({ isTorn, isUntouchedAround }) => isTorn || !isUntouchedAround), []);
});

Deno.test(`without a journal a kill tears writes, so the test above can fail (FUZZ_SEED=${SEED})`, async () => {
  await killRepeatedly(false, ({ isTorn }) => isTorn);
});
