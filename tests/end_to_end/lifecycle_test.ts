/** The server as a process: limits, signals, restarts. */
import { assert, assertEquals, assertLess, assertRejects, assertStringIncludes } from "@std/assert";
import type { Initiator } from "../support/initiator.ts";
import { Initiator as TestInitiator } from "../support/initiator.ts";
import { inquiry, read10, testUnitReady, write10 } from "../support/initiator_cdb.ts";
import { LoginRefused } from "../support/initiator_login.ts";
import { runIscsi } from "../support/server_process.ts";
import { Appliance, FIRST_INITIATOR, SECOND_INITIATOR, STRANGER, XENSERVER } from "./appliance.ts";

/** Longest that a server may take to end. */
const STOP_LIMIT_MS = 5000;

const OUT_OF_RESOURCES = 0x0302;

/** The server prints where it listens, then `ready`. */
Deno.test("serve prints a line for each portal, then ready", async () => {
  using appliance = Appliance.create();
  await using server = await appliance.serve();
  const lines = server.stdout.trim().split("\n");
  assertEquals(lines.at(-1), "ready");
  assert(lines.slice(0, -1).some((line) => line.includes(`127.0.0.1:${appliance.port}`)), server.stdout);
});

Deno.test("the ninth connection is refused where eight are allowed, and admitted when one has gone", async () => {
  using appliance = Appliance.create();
  await using _server = await appliance.serve();
  const initiators: Initiator[] = [];
  try {
    for (let i = 0; i < 8; i++) {
      const isid = Uint8Array.of(0x80, 0, 0, 0, 0, i);
      initiators.push(await appliance.login({ isid }));
    }
    const ninth = Uint8Array.of(0x80, 0, 0, 0, 0, 8);
    const refusal = await assertRejects(() => appliance.login({ isid: ninth }), LoginRefused);
    assertEquals(refusal.status, OUT_OF_RESOURCES);
    await using discovery = await TestInitiator.connect(appliance.port);
    await discovery.login({ initiatorName: FIRST_INITIATOR });
    assertEquals((await discovery.sendTargets()).map(({ name }) => name), [XENSERVER]);
    for (const initiator of initiators) assertEquals((await initiator.nop()).data.length, 0);
    const gone = initiators.pop()!;
    assertEquals(await gone.logout(), 0);
    assertEquals(await gone.receiveEnd(), []);
    await gone.close();
    initiators.push(await appliance.login({ isid: ninth }));
  } finally {
    for (const initiator of initiators) await initiator.close();
  }
});

Deno.test("the sessions' limit holds as the connections' does", async () => {
  using appliance = Appliance.create("sessions = 2\n[xenserver]\nsize = 1MB\nnetworks = 127.0.0.0/8\n");
  await using _server = await appliance.serve();
  await using _first = await appliance.login({ isid: Uint8Array.of(0x80, 0, 0, 0, 0, 1) });
  await using _second = await appliance.login({ isid: Uint8Array.of(0x80, 0, 0, 0, 0, 2) });
  const third = appliance.login({ isid: Uint8Array.of(0x80, 0, 0, 0, 0, 3) });
  assertEquals((await assertRejects(() => third, LoginRefused)).status, OUT_OF_RESOURCES);
});

Deno.test("a stranger is refused as if there were no target", async () => {
  using appliance = Appliance.create();
  await using server = await appliance.serve();
  const stranger = await assertRejects(() => appliance.login({ initiatorName: STRANGER }), LoginRefused);
  const absent = await assertRejects(() => appliance.login({ targetName: `${XENSERVER}x` }), LoginRefused);
  assertEquals(stranger.status, absent.status);
  await server.waitForLog(STRANGER);
});

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  Deno.test(`${signal} ends a server in order while an initiator is connected and idle`, async () => {
    using appliance = Appliance.create();
    await using server = await appliance.serve();
    await using initiator = await appliance.login();
    await initiator.command({ cdb: testUnitReady() });
    const { code, durationMs } = await server.stop(signal);
    assertEquals(code, 0, server.stderr);
    assertLess(durationMs, STOP_LIMIT_MS);
  });
}

Deno.test("SIGTERM ends a server in order while an initiator owes it data; what was acknowledged stays", async () => {
  using appliance = Appliance.create();
  await using server = await appliance.serve();
  await using initiator = await appliance.login();
  await initiator.command({ cdb: testUnitReady() });
  const acknowledged = new Uint8Array(65536).fill(0x77);
  assertEquals((await initiator.command({ cdb: write10(0, 128), write: acknowledged })).status, 0);
  // The target asks for data of this one, and does not get them.
  const owed = await initiator.begin({
    cdb: write10(1000, 128),
    write: new Uint8Array(0),
    expectedLength: 65536,
  });
  const { code, durationMs } = await server.stop();
  assertEquals(code, 0, server.stderr);
  assertLess(durationMs, STOP_LIMIT_MS);
  owed.forget();
  const file = Deno.openSync(`${appliance.storage}/xenserver`);
  const found = new Uint8Array(acknowledged.length);
  assertEquals(file.readSync(found), found.length);
  file.close();
  assertEquals(found, acknowledged);
});

Deno.test("SIGTERM ends a server in order while initiators write without a pause", async () => {
  using appliance = Appliance.create();
  await using server = await appliance.serve();
  await using initiator = await appliance.login();
  await initiator.command({ cdb: testUnitReady() });
  const write = new Uint8Array(262144).fill(0x42);
  async function writeOn(): Promise<number> {
    let count = 0;
    try {
      for (; count < 100_000; count++) {
        await initiator.command({ cdb: write10(512 * (count % 1000), 512), write });
      }
    } catch {
      // The server has gone.
    }
    return count;
  }
  const writers = Array.from({ length: 4 }, writeOn);
  await new Promise((resolve) => setTimeout(resolve, 300));
  const { code, durationMs } = await server.stop();
  assertEquals(code, 0, server.stderr);
  assertLess(durationMs, STOP_LIMIT_MS);
  for (const count of await Promise.all(writers)) assert(count > 0 && count < 100_000);
});

Deno.test("SIGTERM ends a server in order while an initiator reads nothing of what it asked for", async () => {
  using appliance = Appliance.create();
  await using server = await appliance.serve();
  await using initiator = await appliance.login({ keys: { MaxBurstLength: "16776192" } });
  await initiator.command({ cdb: testUnitReady() });
  for (let i = 0; i < 16; i++) {
    (await initiator.begin({ cdb: read10(0, 16384), read: 16384 * 512 })).forget();
  }
  const { code, durationMs } = await server.stop();
  assertEquals(code, 0, server.stderr);
  assertLess(durationMs, STOP_LIMIT_MS);
});

Deno.test("a second server on the same storage is refused with the first one's pid", async () => {
  using appliance = Appliance.create();
  await using server = await appliance.serve();
  const { code, stderr } = await runIscsi(["serve", "--conf", appliance.confPath]);
  assertEquals(code, 1, stderr);
  assertStringIncludes(stderr, String(server.pid));
  await using initiator = await appliance.login();
  assertEquals((await initiator.nop()).data.length, 0);
});

/** Returns the serial number and the device identification, by which an initiator recognizes a disk. */
async function identityOf(appliance: Appliance): Promise<string[]> {
  await using initiator = await appliance.login();
  const pages: string[] = [];
  for (const lun of [0, 1]) {
    for (const page of [0x80, 0x83]) {
      const { status, data } = await initiator.command({ cdb: inquiry(255, page), lun, read: 255 });
      assertEquals(status, 0);
      pages.push(data.toHex());
    }
  }
  return pages;
}

Deno.test("a LUN keeps its identity over restart, crash and build; two appliances share none", async () => {
  using appliance = Appliance.create();
  await using first = await appliance.serve();
  const identity = await identityOf(appliance);
  assertEquals(new Set(identity).size, identity.length);
  assertEquals((await first.stop()).code, 0);
  await using second = await appliance.serve();
  assertEquals(await identityOf(appliance), identity);
  await second.kill();
  await using _third = await appliance.serve();
  assertEquals(await identityOf(appliance), identity);
  using other = Appliance.create();
  await using _otherServer = await other.serve();
  const otherIdentity = await identityOf(other);
  assertEquals(identity.filter((page) => otherIdentity.includes(page)), []);
});

Deno.test("an initiator that comes back after a broken connection gets its session anew", async () => {
  using appliance = Appliance.create();
  await using _server = await appliance.serve();
  await using before = await appliance.login();
  await before.command({ cdb: testUnitReady() });
  await using after = await appliance.login();
  assertEquals(await before.receiveEnd(), []);
  assertEquals((await after.command({ cdb: inquiry(36), read: 36 })).status, 0);
  await using _other = await appliance.login({ initiatorName: SECOND_INITIATOR });
  assertEquals((await after.nop()).data.length, 0);
});
