/** A LUN that is taken out of service while something else replaces its file. */
import { assertEquals, assertRejects } from "@std/assert";
import { TargetServer } from "../../lib/server/target_server.ts";
import { withScratch } from "../provision/scratch.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { Initiator } from "../support/initiator.ts";
import { read10, testUnitReady } from "../support/initiator_cdb.ts";
import { ScsiStatus } from "../support/initiator_sense.ts";
import { FILE_BYTES, KeptLog, makeServed, pathOf, type Served } from "./_serving.ts";

const UNIT = { target: "a", lun: 0 };

/** Milliseconds after which a LUN that is not ready is tried again. */
const RETRY_MS = 5_000;

interface Scene {
  readonly server: TargetServer;
  readonly served: Served;
  readonly clock: FakeClock;
  readonly closed: string[];
  readonly path: string;
}

function withServer(test: (scene: Scene) => Promise<void>): Promise<void> {
  return withScratch(async (folder) => {
    Deno.mkdirSync(`${folder}/.iscsi/journals`, { recursive: true });
    const served = makeServed(folder);
    const [clock, closed] = [new FakeClock(), [] as string[]];
    const server = TargetServer.start({
      ...served,
      log: new KeptLog(),
      clock,
      onClosed: (path) => closed.push(path),
    });
    try {
      await test({ server, served, clock, closed, path: pathOf(served, "a") });
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
