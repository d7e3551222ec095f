import { assertEquals, assertRejects } from "@std/assert";
import { NO_STORAGE_FAULTS, type StorageFault } from "../../../lib/scsi/medium/storage_faults.ts";
import { UnitJournal } from "../../../lib/server/target/unit_journal.ts";
import type { AtomicJournal } from "../../../lib/store/atomic_journal.ts";
import { StoreError } from "../../../lib/store/block_store.ts";
import type { FailedWrite, Replacement } from "../../../lib/store/write_or_restore.ts";

const REPLACEMENT: Replacement = { offset: 0, old: new Uint8Array(1), fresh: new Uint8Array(1) };

/** A journal that fails at the step named by `fails`. */
class FaultyJournal implements AtomicJournal {
  fails: "record" | "retire" | "flush" | "erase" | undefined;
  isClosed = false;

  async protect(_replacement: Replacement, write: () => Promise<FailedWrite | undefined>): Promise<void> {
    if (this.fails === "record") throw new StoreError("outOfSpace", "record");
    const failed = await write();
    if (failed !== undefined) throw failed.error;
    if (this.fails === "retire") throw new StoreError("writeFailed", "retire");
  }

  async flush(): Promise<void> {
    await Promise.resolve();
    if (this.fails === "flush") throw new StoreError("flushFailed", "flush");
  }

  async erase(): Promise<void> {
    await Promise.resolve();
    if (this.fails === "erase") throw new StoreError("writeFailed", "erase");
  }

  close(): void {
    this.isClosed = true;
  }
}

Deno.test("UnitJournal reports its own failures, and not those of the work that it protects", async () => {
  const reported: [StorageFault, string][] = [];
  const inner = new FaultyJournal();
  const journal = new UnitJournal({
    add: (kind, { message }) => reported.push([kind, message]),
    figures: () => NO_STORAGE_FAULTS,
  });
  await journal.flush();
  await journal.erase();
  const protect = (failed?: FailedWrite): Promise<void> =>
    journal.protect(REPLACEMENT, () => Promise.resolve(failed));
  await assertRejects(() => protect(), StoreError, "not open");
  journal.arrive(inner);
  await protect();
  await journal.flush();
  await journal.erase();
  await assertRejects(
    () => protect({ error: new StoreError("writeFailed", "work"), isTorn: false }),
    StoreError,
    "work",
  );
  assertEquals(reported, []);
  for (const fails of ["record", "retire"] as const) {
    inner.fails = fails;
    await assertRejects(() => protect(), StoreError, fails);
  }
  inner.fails = "flush";
  await assertRejects(() => journal.flush(), StoreError, "flush");
  inner.fails = "erase";
  await assertRejects(() => journal.erase(), StoreError, "erase");
  assertEquals(reported, [
    ["outOfSpace", "record"],
    ["writeFailed", "retire"],
    ["flushFailed", "flush"],
    ["writeFailed", "erase"],
  ]);
  journal.close();
  assertEquals(inner.isClosed, true);
});
