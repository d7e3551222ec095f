/** Atomic writes and the loss of power, at every point and with any of what was not on the disk for sure. */
import { assert, assertEquals } from "@std/assert";
import { AtomicJournalFile } from "../../lib/store/atomic_journal.ts";
import { recoverAtomicWrites } from "../../lib/store/atomic_recovery.ts";
import { writeAtomically } from "../../lib/store/atomic_write.ts";
import { MemoryStore } from "../support/memory_store.ts";
import { numberFromEnvironment, seededRandom } from "../support/seeded_random.ts";
import { LoggedStore, OperationLog } from "./_operation_log.ts";

const SEED = numberFromEnvironment("FUZZ_SEED", 20070105);
const OWNER = "3000000000000001";
const SIZE_BYTES = 256 * 1024;

/** Ranges that are only written as a whole, of one value: from within a page, within a page, and of many. */
const RANGES = [[512, 1024], [8192, 4096], [20_480 + 512, 12_288], [65_536, 65_536]] as const;

/** After so many operations a flush of the store and its journal had been acknowledged, of these values. */
interface Promised {
  readonly operations: number;
  readonly values: readonly number[];
}

async function inFolder(test: (path: string) => Promise<void>): Promise<void> {
  const folder = Deno.makeTempDirSync({ prefix: "iscsi-power-" });
  try {
    await test(`${folder}/journal`);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

/** Writes all ranges, round after round, and flushes now and then. */
async function work(path: string, log: OperationLog): Promise<Promised[]> {
  const store = new LoggedStore(new MemoryStore({ sizeBytes: SIZE_BYTES }), log);
  const journal = new AtomicJournalFile(path, { store, owner: OWNER, roomBytes: 65_536 });
  const promised: Promised[] = [];
  for (let value = 1; value <= 4; value++) {
    await Promise.all(RANGES.map(([offset, length]) => {
      const from = new Uint8Array(length).fill(value);
      return writeAtomically(store, journal, { offset, from, survives: "powerLoss" });
    }));
    if (value % 2 > 0) continue;
    await store.flush();
    await journal.flush();
    promised.push({ operations: log.operations.length, values: RANGES.map(() => value) });
  }
  journal.close();
  return promised;
}

/** Starts again after a loss of power, and returns what the store holds then. */
function restart(
  path: string,
  images: { readonly store: Uint8Array; readonly journal: Uint8Array },
): Uint8Array {
  const memory = new MemoryStore({ sizeBytes: SIZE_BYTES });
  memory.writeNow(0, images.store);
  Deno.writeFileSync(path, images.journal);
  const recovery = recoverAtomicWrites(path, OWNER, Object.assign(memory, { flushNow: () => {} }));
  assert(recovery?.kind !== "other" && recovery?.kind !== "damaged", JSON.stringify(recovery));
  const content = new Uint8Array(SIZE_BYTES);
  memory.readNow(0, content);
  return content;
}

Deno.test(`writes that survive a loss of power are whole after one, at any point (FUZZ_SEED=${SEED})`, () =>
  inFolder(async (path) => {
    const random = seededRandom(SEED);
    const log = new OperationLog();
    let promised: Promised[] = [];
    await log.record(async () => void (promised = await work(path, log)));
    let takenBack = 0;
    for (let cut = 0; cut <= log.operations.length; cut++) {
      for (let luck = 0; luck < 6; luck++) {
        // From none of the unsynchronized operations to all of them.
        const isLucky = (): boolean => random(5) < luck;
        const store = log.imageAt(cut, "store", new Uint8Array(SIZE_BYTES), isLucky);
        const journal = log.imageAt(cut, "journal", new Uint8Array(4096 + 80_000), isLucky);
        const content = restart(path, { store, journal });
        if (content.some((byte, at) => byte !== store[at])) takenBack++;
        const least = promised.findLast(({ operations }) => operations <= cut);
        for (const [index, [offset, length]] of RANGES.entries()) {
          const range = content.subarray(offset, offset + length);
          const message = `cut before operation ${cut}, luck ${luck}, range at ${offset}`;
          assert(range.every((byte) => byte === range[0]), `${message} is torn`);
          assert(range[0]! >= (least?.values[index] ?? 0), `${message} has lost what was flushed`);
        }
      }
    }
    assert(takenBack > 50, `only ${takenBack} states had to be taken back`);
  }));

Deno.test("a flushed write that restores the bytes before an atomic one is not undone", () =>
  inFolder(async (path) => {
    const log = new OperationLog();
    await log.record(async () => {
      const store = new LoggedStore(new MemoryStore({ sizeBytes: SIZE_BYTES }), log);
      const journal = new AtomicJournalFile(path, { store, owner: OWNER, roomBytes: 65_536 });
      const from = new Uint8Array(8192).fill(2);
      await writeAtomically(store, journal, { offset: 0, from, survives: "powerLoss" });
      await store.write(0, new Uint8Array(4096));
      await store.flush();
      await journal.flush();
      journal.close();
    });
    const cut = log.operations.length;
    const [store, journal] = (["store", "journal"] as const).map((target) =>
      log.imageAt(cut, target, new Uint8Array(SIZE_BYTES), () => false)
    );
    const content = restart(path, { store: store!, journal: journal! });
    assertEquals(content.subarray(0, 8192), new Uint8Array(8192).fill(2, 4096));
  }));
