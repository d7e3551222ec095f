import { assert, assertEquals, assertThrows } from "@std/assert";
import { TargetServer } from "../../../lib/server/target/target_server.ts";
import { configOf } from "../../provision/conf.ts";
import { withScratch } from "../../provision/scratch.ts";
import { Initiator } from "../../support/initiator.ts";
import { read10, synchronizeCache10, testUnitReady, write10 } from "../../support/initiator_cdb.ts";
import { ScsiStatus } from "../../support/initiator_sense.ts";
import {
  assertFarewell,
  FILE_BYTES,
  KeptLog,
  leaveWriteOpen,
  makeServed,
  pathOf,
  type Served,
} from "../_serving.ts";
import { pattern } from "../../support/content.ts";

/** Logs in over TCP, and receives the unit attention. */
async function logIn(
  server: TargetServer,
  { config }: Served,
  name: string,
  isid?: Uint8Array,
  hostname?: string,
): Promise<Initiator> {
  const initiator = await Initiator.connect(server.addresses[0]!.port, {}, hostname);
  const targetName = config.targets.find((target) => target.name === name)!.iscsiName;
  await initiator.login({ targetName, ...(isid === undefined ? {} : { isid }) });
  await initiator.command({ cdb: testUnitReady() });
  return initiator;
}

Deno.test("a server serves its files over TCP, and they keep what was written", () =>
  withScratch(async (folder) => {
    const served = makeServed(folder);
    const log = new KeptLog();
    const server = TargetServer.start({ ...served, log });
    const first = await logIn(server, served, "a");
    assertEquals(
      (await first.command({ cdb: write10(8, 256), write: pattern(131_072) })).status,
      ScsiStatus.good,
    );
    assertEquals((await first.command({ cdb: synchronizeCache10() })).status, ScsiStatus.good);
    await first.close();
    const second = await logIn(server, served, "b");
    assertEquals((await second.command({ cdb: read10(8, 1), read: 512 })).data, new Uint8Array(512));
    await server.stop();
    await second.receiveEnd();
    await second.close();
    assertEquals(Deno.readFileSync(pathOf(served, "a")).subarray(4096, 4096 + 131_072), pattern(131_072));
    assertEquals(Deno.statSync(pathOf(served, "a")).size, FILE_BYTES);
    assert(log.lines.some((line) => line.includes("[a]: session begins")));
  }));

Deno.test("many initiators at once each find what they wrote", () =>
  withScratch(async (folder) => {
    const served = makeServed(folder);
    const server = TargetServer.start({ ...served, log: new KeptLog() });
    const work = Array.from({ length: 8 }, async (_, index) => {
      const initiator = await logIn(
        server,
        served,
        index % 2 === 0 ? "a" : "b",
        Uint8Array.of(0x80, 0, 0, 0, 0, index),
      );
      for (let round = 0; round < 4; round++) {
        const lba = index * 512 + round * 128;
        const write = pattern(65_536, index * 10 + round);
        assertEquals((await initiator.command({ cdb: write10(lba, 128), write })).status, ScsiStatus.good);
        assertEquals((await initiator.command({ cdb: read10(lba, 128), read: 65_536 })).data, write);
      }
      assertEquals(await initiator.logout(), 0);
      await initiator.close();
    });
    await Promise.all(work);
    await server.stop();
  }));

Deno.test("stop() ends in order in the middle of a write", () =>
  withScratch(async (folder) => {
    const served = makeServed(folder);
    const server = TargetServer.start({ ...served, log: new KeptLog() });
    const initiator = await logIn(server, served, "a");
    await leaveWriteOpen(initiator);
    await server.stop();
    await assertFarewell(initiator);
    await initiator.close();
  }));

Deno.test("reconfigure() leaves nothing open when a new file is missing or too small", () =>
  withScratch(async (folder) => {
    const served = makeServed(folder);
    const alone = { ...served, config: { ...served.config, targets: served.config.targets.slice(0, 1) } };
    const server = TargetServer.start({ ...alone, log: new KeptLog() });
    Deno.truncateSync(pathOf(served, "b"), FILE_BYTES - 1);
    assertThrows(() => server.reconfigure(served), Error, "1 bytes short");
    Deno.removeSync(pathOf(served, "b"));
    assertThrows(() => server.reconfigure(served), Error, pathOf(served, "b"));
    assertEquals(server.snapshot().targets.map(({ name }) => name), ["a"]);
    await server.stop();
  }));

Deno.test("start() leaves nothing open when somebody else listens at a portal", () =>
  withScratch((folder) => {
    const served = makeServed(folder);
    using other = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const portals = [...served.portals, { address: "127.0.0.1", port: other.addr.port }];
    assertThrows(
      () => TargetServer.start({ ...served, portals, log: new KeptLog() }),
      Error,
      `Cannot listen at 127.0.0.1:${other.addr.port}: Address already in use (os error 98); stop the program`,
    );
  }));

Deno.test("a server that may miss portals serves at the others, and listens there when it can", () =>
  withScratch(async (folder) => {
    const served = makeServed(folder);
    const taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const portals = [{ address: "127.0.0.1", port: taken.addr.port }, ...served.portals];
    const server = TargetServer.start({ ...served, portals, log: new KeptLog(), mayMissPortals: true });
    const faults = server.faults;
    assertEquals(faults.map((fault) => fault.startsWith(`Cannot listen at 127.0.0.1:${taken.addr.port}: `)), [
      true,
    ]);
    const initiator = await logIn(server, served, "a");
    server.reconfigure({ ...served, portals });
    assertEquals([server.faults, server.addresses.length], [faults, 1], "it was missing before");
    taken.close();
    server.reconfigure({ ...served, portals });
    assertEquals([server.faults, server.addresses.length], [[], 2]);
    assertEquals(await initiator.logout(), 0);
    await initiator.close();
    await server.stop();
  }));

Deno.test("start() at the wildcard address takes connections of IPv4", () =>
  withScratch(async (folder) => {
    const served = { ...makeServed(folder), portals: [{ address: "::", port: 0 }] };
    const server = TargetServer.start({ ...served, log: new KeptLog() });
    const initiator = await logIn(server, served, "a");
    assertEquals(await initiator.logout(), 0);
    await initiator.close();
    await server.stop();
  }));

Deno.test("a server is reached over IPv6, and says so", () =>
  withScratch(async (folder) => {
    const config = configOf(`storage=${folder}`, "networks=::1/128", "[a]", "size=4MB");
    const made = makeServed(folder);
    const identities = new Map([...made.identities].slice(0, 1));
    const portals = [{ address: "::1", port: 0 }];
    const server = TargetServer.start({
      ...made,
      config,
      port: config.port,
      identities,
      portals,
      log: new KeptLog(),
    });
    const { port } = server.addresses[0]!;
    const initiator = await logIn(server, { ...made, config }, "a", undefined, "::1");
    const write = pattern(65_536);
    assertEquals((await initiator.command({ cdb: write10(0, 128), write })).status, ScsiStatus.good);
    assertEquals((await initiator.command({ cdb: read10(0, 128), read: write.length })).data, write);
    const [target] = await initiator.sendTargets("");
    assertEquals(target, { name: config.targets[0]!.iscsiName, addresses: [`[::1]:${port},1`] });
    await initiator.close();
    await server.stop();
  }));
