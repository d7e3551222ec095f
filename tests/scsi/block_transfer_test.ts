import { assert, assertEquals } from "@std/assert";
import type { DataOut } from "../../lib/scsi/operation.ts";
import { GOOD } from "../../lib/scsi/outcome.ts";
import { cdb, makeTarget, makeUnit, openReadyNexus } from "./fixture.ts";

Deno.test("BlockTransfer has one hold, and gives it back, when a piece comes just as its range is free", async () => {
  const unit = makeUnit();
  const nexus = openReadyNexus(makeTarget(unit));
  const uninterrupted = await unit.ranges.lock(0, 512).hold;
  const write = nexus.execute(0, cdb("2a 00 00 00 00 00 00 00 02 00")) as DataOut;
  const piece = new Uint8Array(512).fill(1);
  assertEquals(write.writeNow(0, piece), undefined);
  const first = write.write(0, piece);
  unit.ranges.release(uninterrupted!);
  // Whoever waits for the range has it, but has not heard so yet.
  const second = write.writeNow(512, piece) ?? write.write(512, piece);
  assertEquals(await Promise.all([first, second]), [GOOD, GOOD]);
  assertEquals(write.finish(1024).kind, "finished");
  assert(unit.ranges.isIdle);
});
