/** The end of a worker whose disk hangs: nothing else is served before nothing of it is under way. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { Lease } from "../../../lib/server/storage/serving.ts";
import type { HoleService } from "../../../lib/server/storage/hole_service.ts";
import { withScratch } from "../../provision/scratch.ts";
import type { Initiator } from "../../support/initiator.ts";
import { write10, writeAtomic16 } from "../../support/initiator_cdb.ts";
import { scsiCommand } from "../../support/initiator_request.ts";
import { makeServed, pathOf, type Served } from "../_serving.ts";
import {
  crash,
  logIn,
  QUICK_CLOCK,
  type Running,
  servingOf,
  start,
  testThatLeavesLocks,
  TestWorkers,
  untilServing,
} from "../supervisor/_supervised.ts";
import { until } from "../../support/until.ts";
import { pattern } from "../../support/content.ts";
import { numbered } from "../../support/exchanges.ts";

const BYTES = 8192;

/** A server whose first worker hangs in a write, and what becomes of it. */
interface Hanging {
  readonly served: Served;
  readonly running: Running;
  readonly workers: readonly Worker[];
  readonly given: string[];
  /** Nothing has followed the worker that hangs. */
  readonly assertAlone: () => void;
  /** Lets the write go on. */
  readonly release: () => void;
}

async function withHangingWrite(
  at: "once" | "later",
  test: (hanging: Hanging) => Promise<void>,
): Promise<void> {
  await withScratch(async (folder) => {
    const served = makeServed(folder);
    const serving = servingOf(served);
    // The worker can look at nothing else.
    const gate = `${folder}/.iscsi/journals/gate`;
    const given: string[] = [];
    const lease = { ...serving.lease, end: () => Promise.resolve(void given.push("storage folder")) };
    const workers = new TestWorkers([`./_slow_worker.ts?at=${at}`]);
    const running = start(served, { serving: { ...serving, lease }, clock: QUICK_CLOCK, workers });
    await untilServing(running);
    const initiator = await logIn(served, running.ports[0]!);
    Deno.writeTextFileSync(gate, "");
    await sendWrite(initiator, at);
    await until(() => exists(`${gate}.reached`), "the write hangs");
    const assertAlone = (): void => assertEquals([workers.started.length, given], [1, []]);
    const release = (): void => Deno.removeSync(gate, { recursive: true });
    try {
      await test({ served, running, workers: workers.started, given, assertAlone, release });
    } finally {
      // A test that fails must not leave anything to the next.
      if (exists(gate)) release();
      running.stop();
      await running.ended;
      await initiator.close();
    }
  });
}

function exists(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

/** Sends a write to the first blocks, and does not wait for the answer. */
async function sendWrite(initiator: Initiator, at: "once" | "later"): Promise<void> {
  const blocks = BYTES / 512;
  await initiator.send(scsiCommand({
    ...numbered(initiator),
    isFinal: true,
    reads: false,
    writes: true,
    lun: 0,
    expectedLength: BYTES,
    cdb: at === "once" ? write10(0, blocks) : writeAtomic16(0, blocks),
    data: pattern(BYTES),
  }));
}

function logOf({ running }: Hanging): string {
  return running.log.lines.join("\n");
}

/** The write came to its end, and the next worker has found it whole. */
function assertWritten({ served }: Hanging): void {
  assertEquals(Deno.readFileSync(pathOf(served, "a")).subarray(0, BYTES), pattern(BYTES));
}

Deno.test("a worker that takes another's place waits for a write of that which hangs off the event loop", () =>
  withHangingWrite("later", async (hanging) => {
    const { running, served, assertAlone, release } = hanging;
    const node = { ...served.config, node: "iqn.2002-08.info.netmanager.other" };
    const replaced = running.supervisor.replace({ ...running.supervisor.serving, config: node });
    const busy = `Target worker has not ended: operations that it has begun still change "${
      pathOf(served, "a")
    }"`;
    await until(() => logOf(hanging).includes(busy), "it says what it waits for");
    assertAlone();
    assertEquals(running.supervisor.hasWorker, false);
    release();
    await replaced;
    assertEquals(running.readyCount(), 2);
    assertWritten(hanging);
    running.stop();
    assertEquals(await running.ended, undefined);
  }));

Deno.test("a worker that crashes while a write hangs is followed by another when that has ended", () =>
  withHangingWrite("later", async (hanging) => {
    const { running, served, workers, assertAlone, release } = hanging;
    crash(workers[0]!);
    const busy = `Target worker has not ended: operations that it has begun still change "${
      pathOf(served, "a")
    }"`;
    await until(() => logOf(hanging).includes(busy), "it says what it waits for");
    assertAlone();
    release();
    await until(() => running.readyCount() === 2, "another worker is ready");
    assertWritten(hanging);
    assertStringIncludes(logOf(hanging), "error: Target worker ended: TypeError");
    running.stop();
    assertEquals(await running.ended, undefined);
  }));

Deno.test("a worker that stands in a write does not answer, and is waited for", () =>
  withHangingWrite("once", async (hanging) => {
    const { running, assertAlone, release } = hanging;
    const replaced = running.supervisor.replace(running.supervisor.serving);
    await until(() => logOf(hanging).includes("has not ended"), "it says what it waits for");
    assertStringIncludes(logOf(hanging), `an operation on "${pathOf(hanging.served, "a")}" blocks it`);
    assertAlone();
    release();
    await replaced;
    assertEquals(running.readyCount(), 2);
    running.stop();
    assertEquals(await running.ended, undefined);
  }));

for (const at of ["once", "later"] as const) {
  testThatLeavesLocks(
    `a server that is stopped ends although a write hangs (${at}), and gives nothing back`,
    () =>
      withHangingWrite(at, async (hanging) => {
        const { running, assertAlone, release } = hanging;
        running.stop();
        assertStringIncludes((await running.ended)!, "target worker has not ended");
        assertAlone();
        release();
      }),
  );
}

testThatLeavesLocks(
  "a server that waits for the write of a worker that was replaced still ends when it is stopped",
  () =>
    withHangingWrite("later", async (hanging) => {
      const { running, assertAlone, release } = hanging;
      const replaced = running.supervisor.replace(running.supervisor.serving).catch((error) => error.message);
      await until(() => logOf(hanging).includes("has not ended"), "it says what it waits for");
      running.stop();
      assertStringIncludes((await running.ended)!, "target worker has not ended");
      assertEquals(await replaced, "the server is about to end");
      assertAlone();
      release();
      assert(running.log.lines.every((line) => !line.startsWith("error: Target worker ended")));
    }),
);

Deno.test("a worker that takes another's place waits for the holes that are made for that", () =>
  withScratch(async (folder) => {
    const served = makeServed(folder);
    const serving = servingOf(served);
    const gate = Promise.withResolvers<void>();
    const deeds: string[] = [];
    const holes = {
      paths: [],
      follow: () => {},
      abandon: () => deeds.push("abandoned"),
      renew: () => {
        deeds.push("asked for the end");
        return gate.promise;
      },
    } as unknown as HoleService;
    {
      const workers = new TestWorkers();
      const running = start(served, {
        serving: { ...serving, lease: withHoles(serving.lease, holes) },
        workers,
      });
      await untilServing(running);
      const replaced = running.supervisor.replace(running.supervisor.serving);
      await until(() => deeds.includes("asked for the end"), "the worker has ended");
      // Long enough for another worker to be started.
      for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setTimeout(resolve, 1));
      assertEquals(workers.started.length, 1);
      gate.resolve();
      await replaced;
      assertEquals([workers.started.length, running.readyCount()], [2, 2]);
      running.stop();
      assertEquals(await running.ended, undefined);
    }
  }));

Deno.test("a worker whose state cannot be synced has failed once nothing is locked or linked for it any longer", () =>
  withScratch(async (folder) => {
    const served = makeServed(folder);
    const { prototype } = Deno.FsFile;
    const { sync, tryLockSync } = prototype;
    let attempts = 0;
    prototype.sync = () => Promise.reject(new Error("Input/output error (os error 5)"));
    prototype.tryLockSync = () => (attempts++, false);
    try {
      assertStringIncludes((await start(served).ended)!, "on stable storage: ");
      // Each of the two files is tried five times.
      assertEquals(attempts, 10);
    } finally {
      Object.assign(prototype, { sync, tryLockSync });
    }
  }));

testThatLeavesLocks(
  "a server that is stopped ends although a disk hangs before its worker serves",
  () =>
    withScratch(async (folder) => {
      const served = makeServed(folder);
      const { sync } = Deno.FsFile.prototype;
      const { postMessage } = Worker.prototype;
      const posted: unknown[] = [];
      Worker.prototype.postMessage = (message: unknown) => void posted.push(message);
      const gate = Promise.withResolvers<void>();
      Deno.FsFile.prototype.sync = () => gate.promise;
      try {
        const workers = new TestWorkers();
        const running = start(served, { clock: QUICK_CLOCK, workers });
        running.stop();
        assertStringIncludes((await running.ended)!, "a disk hangs");
        gate.resolve();
        for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setTimeout(resolve, 1));
        assertEquals(posted, []);
      } finally {
        Deno.FsFile.prototype.sync = sync;
        Worker.prototype.postMessage = postMessage;
      }
    }),
);

/** Returns a lease whose parts punch holes in this way. */
function withHoles(lease: Lease, holes: HoleService): Lease {
  return { ...lease, forPort: (port) => ({ ...lease.forPort(port), holes }) };
}
