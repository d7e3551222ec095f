import { assertEquals } from "@std/assert";
import type { StorageFault } from "../../../lib/scsi/medium/storage_faults.ts";
import { UnitFaults } from "../../../lib/server/target/unit_faults.ts";
import { StoreError, type StoreErrorKind } from "../../../lib/store/block_store.ts";
import { FakeClock } from "../../support/fake_clock.ts";
import { KeptLog } from "../_serving.ts";

const MINUTE_MS = 60_000;

class Scene {
  readonly clock = new FakeClock();
  readonly log = new KeptLog();
  readonly faults = new UnitFaults("LUN 0 of [a]", { log: this.log, clock: this.clock });

  fail(kind: StorageFault, reason: string, times = 1): void {
    const storeKind: StoreErrorKind = kind === "reservationsFailed" || kind === "holeFailed"
      ? "writeFailed"
      : kind;
    for (let time = 0; time < times; time++) this.faults.add(kind, new StoreError(storeKind, reason));
  }

  /** New lines of the log; reading them removes them. */
  get lines(): string[] {
    return this.log.lines.splice(0);
  }
}

const FULL = 'Cannot write 512 bytes at 0 of "/a": No space left on device (os error 28)';

Deno.test("UnitFaults logs the first failure of a kind with its effect and a remedy, and counts the next", () => {
  const scene = new Scene();
  scene.fail("outOfSpace", FULL, 300);
  assertEquals(scene.lines, [
    `error: LUN 0 of [a]: ${FULL}; initiators get SPACE ALLOCATION FAILED for writes that need space, all else goes ` +
    "on; free space on its file system, or enlarge it",
  ]);
  scene.clock.advance(MINUTE_MS);
  assertEquals(scene.lines, [
    "warning: LUN 0 of [a]: writes without space: 299 more, none in the last minute",
  ]);
  assertEquals(scene.clock.waiting, 0);
  scene.fail("outOfSpace", FULL);
  assertEquals(scene.lines.length, 1, "it begins again");
  scene.clock.advance(MINUTE_MS);
  assertEquals(scene.lines, []);
});

Deno.test("UnitFaults logs every kind for itself, once however long it goes on, and how often every hour", () => {
  const scene = new Scene();
  for (let seconds = 0; seconds < 2 * 3600 + 30; seconds += 30) {
    scene.fail("outOfSpace", FULL);
    if (seconds < 60) scene.fail("flushFailed", 'Cannot flush "/a": EIO');
    scene.clock.advance(30_000);
  }
  assertEquals(
    scene.lines.map((line) => line.slice(0, 60)),
    [
      'error: LUN 0 of [a]: Cannot write 512 bytes at 0 of "/a": No s',
      'error: LUN 0 of [a]: Cannot flush "/a": EIO; data that initi',
      "warning: LUN 0 of [a]: failed flushes: 1 more, none in the la",
      "warning: LUN 0 of [a]: writes without space: 119 more",
      "warning: LUN 0 of [a]: writes without space: 120 more",
    ].map((line) => line.slice(0, 60)),
  );
});

Deno.test("UnitFaults has figures for status, and reports what is left when the unit is closed", () => {
  const scene = new Scene();
  assertEquals(scene.faults.figures(), { counts: {}, last: null });
  scene.fail("readFailed", "one", 2);
  scene.clock.advance(1000);
  scene.fail("reservationsFailed", "two");
  assertEquals(scene.faults.figures(), {
    counts: { readFailed: 2, reservationsFailed: 1 },
    last: { kind: "reservationsFailed", reason: "two", atMs: scene.clock.now() },
  });
  assertEquals(scene.lines.length, 2);
  scene.faults.end();
  assertEquals(scene.lines, ["warning: LUN 0 of [a]: failed reads: 1 more"]);
  assertEquals(scene.clock.waiting, 0);
});

Deno.test("UnitFaults counts refused holes, which the supervisor has logged", () => {
  const scene = new Scene();
  scene.fail("holeFailed", "refused", 3);
  assertEquals(scene.faults.figures().counts, { holeFailed: 3 });
  assertEquals(scene.faults.figures().last?.reason, "refused");
  scene.faults.end();
  assertEquals(scene.lines, []);
});

Deno.test("UnitFaults reports failures of the medium every few seconds at most", () => {
  const clock = new FakeClock();
  let reports = 0;
  const onFault = (): number => ++reports;
  const faults = new UnitFaults("LUN 0 of [a]", { log: new KeptLog(), clock, onFault });
  const fail = (kind: StorageFault): void => faults.add(kind, new StoreError("readFailed", "it fails"));
  fail("holeFailed");
  fail("reservationsFailed");
  assertEquals(reports, 0);
  for (let count = 0; count < 10; count++) fail("readFailed");
  assertEquals(reports, 1);
  // The same series goes on: the device may have vanished only now.
  clock.advance(5_000);
  fail("writeFailed");
  assertEquals(reports, 2);
  faults.end();
});
