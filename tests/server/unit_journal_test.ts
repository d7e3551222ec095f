import { assertEquals, assertRejects } from "@std/assert";
import { NO_STORAGE_FAULTS, type StorageFault } from "../../lib/scsi/storage_faults.ts";
import { UnitJournal } from "../../lib/server/unit_journal.ts";
import type { AtomicJournal } from "../../lib/store/atomic_journal.ts";
import { StoreError } from "../../lib/store/block_store.ts";

/** A journal that fails where it is told to. */
class FaultyJournal implements AtomicJournal {
  fails: "record" | "retire" | "flush" | undefined;
  isClosed = false;

  async protect(_offset: number, _old: Uint8Array, work: () => Promise<void>): Promise<void> {
    if (this.fails === "record") throw new StoreError("outOfSpace", "record");
    await work();
    if (this.fails === "retire") throw new StoreError("writeFailed", "retire");
  }

  async flush(): Promise<void> {
    await Promise.resolve();
    if (this.fails === "flush") throw new StoreError("flushFailed", "flush");
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
  await assertRejects(
    () => journal.protect(0, new Uint8Array(1), () => Promise.resolve()),
    StoreError,
    "not open",
  );
  journal.arrive(inner);
  const protect = (work: () => Promise<void> = () => Promise.resolve()): Promise<void> =>
    journal.protect(0, new Uint8Array(1), work);
  await protect();
  await journal.flush();
  await assertRejects(
    () => protect(() => Promise.reject(new StoreError("writeFailed", "work"))),
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
  assertEquals(reported, [["outOfSpace", "record"], ["writeFailed", "retire"], ["flushFailed", "flush"]]);
  journal.close();
  assertEquals(inner.isClosed, true);
});
