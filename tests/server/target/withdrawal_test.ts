/** A LUN that is taken out of service while something else replaces its file. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { TargetServer } from "../../../lib/server/target/target_server.ts";
import { withScratch } from "../../provision/scratch.ts";
import { FakeClock } from "../../support/fake_clock.ts";
import { Initiator } from "../../support/initiator.ts";
import { read10, testUnitReady } from "../../support/initiator_cdb.ts";
import { ScsiStatus } from "../../support/initiator_sense.ts";
import { until } from "../../support/until.ts";
import { FILE_BYTES, KeptLog, makeServed, pathOf, type Served } from "../_serving.ts";

const UNIT = { target: "a", lun: 0 };

/** Milliseconds after which a LUN that is not ready is tried again. */
const RETRY_MS = 5_000;

interface Scene {
  readonly server: TargetServer;
  readonly served: Served;
  readonly clock: FakeClock;
  readonly closed: string[];
  readonly log: KeptLog;
  readonly path: string;
}

function withServer(test: (scene: Scene) => Promise<void>): Promise<void> {
  return withScratch(async (folder) => {
    Deno.mkdirSync(`${folder}/.iscsi/journals`, { recursive: true });
    const served = makeServed(folder);
    const [clock, log, closed] = [new FakeClock(), new KeptLog(), [] as string[]];
    const server = TargetServer.start({
      ...served,
      log,
      clock,
      onClosed: (path) => closed.push(path),
    });
    try {
      await test({ server, served, clock, closed, log, path: pathOf(served, "a") });
    } finally {
      await server.stop();
    }
  });
}

async function logIn(server: TargetServer): Promise<Initiator> {
  const initiator = await Initiator.connect(server.addresses[0]!.port);
  await initiator.login({ targetName: "iqn.2002-08.info.netmanager:a" });
  await initiator.command({ cdb: testUnitReady() });
  return initiator;
}

function problemsOf(server: TargetServer): string[] {
  return server.snapshot().problems.map(({ reason }) => reason);
}

/** Replaces the file of the LUN as a copy does. */
function replaceFile(path: string, value: number): void {
  Deno.writeFileSync(`${path}.new`, new Uint8Array(FILE_BYTES).fill(value));
  Deno.renameSync(`${path}.new`, path);
}

Deno.test("TargetServer.withdraw() closes a LUN until readmit(), whatever is tried meanwhile", () =>
  withServer(async ({ server, served, clock, closed, path }) => {
    await server.withdraw(UNIT);
    const reason = "its content is being replaced by a copy";
    assertEquals(problemsOf(server), [reason]);
    clock.advance(RETRY_MS);
    server.reconfigure(served);
    assertEquals([problemsOf(server), closed], [[reason], []]);
    server.reconfigure({ ...served, arriving: new Map([[path, "it is replaced"]]) });
    assertEquals([problemsOf(server), closed], [[reason], [path]]);
    const initiator = await logIn(server);
    assertEquals((await initiator.command({ cdb: testUnitReady() })).sense?.code, 0x0401);
    replaceFile(path, 7);
    server.readmit(UNIT);
    server.reconfigure(served);
    assertEquals(problemsOf(server), []);
    assertEquals((await initiator.command({ cdb: testUnitReady() })).sense?.code, 0x2800);
    assertEquals((await initiator.command({ cdb: read10(0, 1), read: 512 })).data[0], 7);
    await initiator.close();
  }));

Deno.test("TargetServer.withdraw() refuses a LUN of a target with a session, and one that is withdrawn", () =>
  withServer(async ({ server, served }) => {
    const initiator = await logIn(server);
    await assertRejects(() => server.withdraw(UNIT), Error, "[a] is in use: iqn.");
    assertEquals((await initiator.command({ cdb: read10(0, 1), read: 512 })).status, ScsiStatus.good);
    await initiator.logout();
    await initiator.close();
    await server.withdraw(UNIT);
    await assertRejects(() => server.withdraw(UNIT), Error, "its content is being replaced by a copy");
    server.readmit(UNIT);
    server.reconfigure(served);
    assertEquals(problemsOf(server), []);
    await server.withdraw(UNIT);
    server.readmit(UNIT);
  }));

/** Lets flushes fail, each when it is released, until the end of `test`. */
async function withFailingFlushes(test: (fail: () => void) => Promise<void>): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const original = Deno.FsFile.prototype.syncData;
  Deno.FsFile.prototype.syncData = async () => {
    await promise;
    throw new Error("Input/output error (os error 5)");
  };
  try {
    await test(resolve);
  } finally {
    Deno.FsFile.prototype.syncData = original;
  }
}

Deno.test("TargetServer.withdraw() that cannot flush leaves the LUN in service", () =>
  withServer(async ({ server, served, closed, path }) => {
    await withFailingFlushes(async (fail) => {
      const withdrawn = server.withdraw(UNIT);
      assertEquals(problemsOf(server).length, 1);
      fail();
      await assertRejects(() => withdrawn, Error, "Cannot flush");
    });
    assertEquals([problemsOf(server), closed], [[], []]);
    const initiator = await logIn(server);
    assertEquals((await initiator.command({ cdb: read10(0, 1), read: 512 })).status, ScsiStatus.good);
    await initiator.close();
    // The failed flush stays failed while the file is open.
    server.reconfigure({ ...served, lost: new Set([path]) });
    await until(() => closed.length > 0, "the file is closed");
  }));

Deno.test("a device that is lost during a withdrawal that fails is closed, and opened again", () =>
  withServer(async ({ server, served, closed, log, path }) => {
    await withFailingFlushes(async (fail) => {
      const withdrawn = server.withdraw(UNIT);
      server.reconfigure({ ...served, lost: new Set([path]) });
      fail();
      await assertRejects(() => withdrawn, Error, "Cannot flush");
      await until(() => closed.length > 0, "the file is closed");
    });
    assertEquals([problemsOf(server), closed], [[], [path]]);
    assert(log.lines.some((line) => line.includes("may be lost")), log.lines.join("\n"));
  }));
