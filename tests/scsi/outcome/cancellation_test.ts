import { assertEquals, assertThrows } from "@std/assert";
import { Cancellation, CancelledError } from "../../../lib/scsi/outcome/cancellation.ts";
import { CANCELLED } from "../../../lib/scsi/outcome/finished.ts";
import { writeRepeated } from "../../../lib/scsi/medium/repeat_block.ts";
import { MemoryStore } from "../../support/memory_store.ts";
import { SlowStore } from "../../support/slow_store.ts";
import { nameOfOutcome } from "../fixture.ts";
import { outcomeOfFailure } from "../../../lib/scsi/medium/store_error_outcome.ts";

const BLOCK = new Uint8Array(512).fill(0xa5);

Deno.test("Cancellation fails work once it is cancelled", () => {
  const cancellation = new Cancellation();
  cancellation.throwIfCancelled();
  cancellation.cancel();
  assertThrows(() => cancellation.throwIfCancelled(), CancelledError);
  assertThrows(() => cancellation.throwIfCancelled(), CancelledError);
});

Deno.test("the outcome of cancelled work is a failure", () => {
  const outcome = outcomeOfFailure(new CancelledError("Cancelled"));
  assertEquals(nameOfOutcome(outcome), "commandsClearedByDeviceServer");
  assertEquals(CANCELLED, { kind: "finished", outcome });
});

Deno.test("writeRepeated() fails when it is cancelled between two pieces", async () => {
  const store = new MemoryStore({ sizeBytes: 1024 * 1024 });
  const slow = new SlowStore(store);
  const cancellation = new Cancellation();
  const work = writeRepeated(slow, { offset: 0, lengthBytes: store.sizeBytes }, BLOCK, { cancellation });
  const name = work.then(() => "completed", (error: Error) => error.name);
  cancellation.cancel();
  slow.release();
  assertEquals(await name, "CancelledError");
  assertEquals([slow.pending.length, store.pageCount], [0, 64], "one piece of 256 KiB was under way");
});
