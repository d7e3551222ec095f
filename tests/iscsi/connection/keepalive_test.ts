/** Peers that are gone (RFC 7143, 11.18 and 11.19), by themselves and through the whole node. */
import { assert, assertEquals } from "@std/assert";
import { Keepalive, PeerActivity } from "../../../lib/iscsi/connection/keepalive.ts";
import { FakeClock } from "../../support/fake_clock.ts";
import { read10, testUnitReady, write10 } from "../../support/initiator_cdb.ts";
import { NO_TAG, Opcode, type Pdu } from "../../support/initiator_pdu.ts";
import { nopOut } from "../../support/initiator_request.ts";
import { ScsiStatus } from "../../support/initiator_sense.ts";
import { MemoryStore } from "../../support/memory_store.ts";
import { SlowStore } from "../../support/slow_store.ts";
import { type Harness, nameOf, withHarness } from "../../support/harness.ts";
import { settle, until } from "../../support/until.ts";
import { pattern } from "../../support/content.ts";
import { numbered } from "../../support/exchanges.ts";

const PATIENT = { pingSeconds: 30, pingTimeoutSeconds: 10 };

/** An initiator that leaves the target's pings to the test. */
const SILENT = { answersPings: false };

function assertPing(pdu: Pdu): void {
  assertEquals([pdu.opcode, pdu.initiatorTaskTag, pdu.lun.toHex()], [
    Opcode.nopIn,
    NO_TAG,
    "0000000000000000",
  ]);
  assert(pdu.targetTransferTag !== NO_TAG, "an answer is wanted");
}

Deno.test("PeerActivity: silence is asked about, and the silence after that is final", () => {
  const signs = new PeerActivity();
  const looks = [0, 29_999, 30_000, 30_001, 39_999, 40_000].map((nowMs) => signs.check(nowMs, PATIENT));
  assertEquals(looks, ["nothing", "nothing", "ping", "nothing", "nothing", "close"]);
});

Deno.test("PeerActivity: whatever comes counts, also after a ping", () => {
  const signs = new PeerActivity();
  signs.check(0, PATIENT);
  assertEquals(signs.check(30_000, PATIENT), "ping");
  signs.hasReceived = true;
  assertEquals(signs.check(45_000, PATIENT), "nothing");
  assertEquals(signs.check(74_999, PATIENT), "nothing");
  assertEquals(signs.check(75_000, PATIENT), "ping");
});

Deno.test("PeerActivity: without pings silence is neither asked about nor final", () => {
  const signs = new PeerActivity();
  const never = { pingSeconds: 0, pingTimeoutSeconds: 10 };
  for (const nowMs of [0, 1000, 1_000_000]) assertEquals(signs.check(nowMs, never), "nothing");
  assertEquals(signs.check(1_000_001, PATIENT), "ping");
  assertEquals(signs.check(2_000_000, never), "nothing", "nor is it when the settings change in between");
});

Deno.test("Keepalive looks once a second while there is a connection, and does not run otherwise", () => {
  const clock = new FakeClock();
  const looks: number[] = [];
  const connections = new Set<{ watch(nowMs: number): void }>();
  const watch = new Keepalive(clock, connections, PATIENT);
  watch.update();
  assertEquals(clock.waiting, 0);
  const beganMs = clock.monotonicMs();
  const connection = { watch: (nowMs: number) => void looks.push(nowMs - beganMs) };
  connections.add(connection);
  watch.update();
  watch.update();
  clock.advance(3000);
  assertEquals(looks, [1000, 2000, 3000]);
  // Without pings there is still to be looked at who waits for what.
  watch.settings = { ...PATIENT, pingSeconds: 0 };
  clock.advance(3000);
  assertEquals([looks.length, clock.waiting], [6, 1]);
  connections.delete(connection);
  watch.update();
  assertEquals(clock.waiting, 0);
});

Deno.test("a silent peer is pinged, and goes on when it answers with the tag (11.18)", () =>
  withHarness({ ping: PATIENT }, async (harness) => {
    const initiator = await harness.logIn({}, SILENT);
    const tags = new Set<number>();
    for (let round = 0; round < 3; round++) {
      harness.clock.advance(31_000);
      const ping = await initiator.receive();
      assertPing(ping);
      tags.add(ping.targetTransferTag);
      const { targetTransferTag, lun } = ping;
      await initiator.send(
        nopOut({ ...numbered(initiator, true), initiatorTaskTag: NO_TAG, targetTransferTag, lun }),
      );
      await settle();
    }
    assertEquals(tags.size, 3);
    // The pings have used up no StatSN, which the initiator watches.
    assertEquals((await initiator.command({ cdb: testUnitReady() })).status, ScsiStatus.good);
    assert(!harness.log.some((line) => line.startsWith("warning")));
  }));

Deno.test("whatever a peer sends is an answer", () =>
  withHarness({ ping: PATIENT }, async (harness) => {
    const initiator = await harness.logIn({}, SILENT);
    harness.clock.advance(31_000);
    assertPing(await initiator.receive());
    assertEquals((await initiator.command({ cdb: testUnitReady() })).status, ScsiStatus.good);
    harness.clock.advance(29_000);
    await initiator.nop();
  }));

Deno.test("a peer that does not answer in time is closed, with a word in the log, and its session with it", () =>
  withHarness({ ping: PATIENT }, async (harness) => {
    const { initiator, served } = harness.open(SILENT);
    await initiator.login({ targetName: nameOf() });
    const busy = await harness.logIn({ isid: Uint8Array.of(0x80, 0, 0, 0, 0, 2) });
    harness.clock.advance(31_000);
    assertPing(await initiator.receive());
    await busy.nop();
    harness.clock.advance(9_000);
    await settle();
    assertEquals([...harness.node.sessions()].length, 2);
    harness.clock.advance(1_000);
    assertEquals(await initiator.receiveEnd(), []);
    await served;
    assertEquals([...harness.node.sessions()].length, 1);
    assert(harness.log.some((line) => line.includes("no answer to a ping within 10 s")));
    await busy.nop();
  }));

Deno.test("with ping = 0 nobody is asked", () =>
  withHarness({ ping: { ...PATIENT, pingSeconds: 0 } }, async (harness) => {
    const initiator = await harness.logIn({}, SILENT);
    harness.clock.advance(1_000_000);
    await initiator.nop();
  }));

Deno.test("a peer in a discovery session is asked, too; one that logs in has a time limit of its own", () =>
  withHarness({ ping: { pingSeconds: 5, pingTimeoutSeconds: 1 } }, async (harness) => {
    const initiator = harness.connect(SILENT);
    const inLogin = harness.open();
    await initiator.login();
    harness.clock.advance(6_000);
    assertPing(await initiator.receive());
    assert(!inLogin.isClosed(), "it has not logged in");
  }));

Deno.test("a peer that is not listened to because of a slow medium is not taken for gone", async () => {
  const store = new SlowStore(new MemoryStore({ sizeBytes: 64 * 1024 * 1024 }));
  await withHarness({ ping: PATIENT, targets: [{ stores: [store] }] }, async (harness) => {
    const keys = { FirstBurstLength: "262144", MaxRecvDataSegmentLength: "262144" };
    const { initiator, isClosed, traffic } = harness.open(SILENT);
    await initiator.login({ targetName: nameOf(), keys });
    await initiator.command({ cdb: testUnitReady() });
    const data = pattern(262_144);
    const writes = await Promise.all(
      Array.from(
        { length: 40 },
        (_, index) => initiator.begin({ cdb: write10(512 * index, 512), write: data }),
      ),
    );
    await until(() => traffic.taken > 6 * 1024 * 1024, "much is on its way to the medium");
    for (let round = 0; round < 10; round++) await settle();
    const { taken } = traffic;
    for (let round = 0; round < 10; round++) {
      harness.clock.advance(30_000);
      await settle();
    }
    assertEquals([isClosed(), traffic.taken], [false, taken]);
    const releasing = setInterval(() => store.releaseAll(), 1);
    for (const write of writes) assertEquals((await write.result()).status, ScsiStatus.good);
    clearInterval(releasing);
  });
});

/** Reads for longer than the target's patience, a little at a time. */
async function readSlowly(harness: Harness): Promise<void> {
  const { initiator, isClosed } = harness.open({ ...SILENT, capacityBytes: 65_536 });
  await initiator.login({ targetName: nameOf(), keys: { MaxRecvDataSegmentLength: "262144" } });
  await initiator.command({ cdb: testUnitReady() });
  const reads = await Promise.all(
    Array.from({ length: 16 }, () => initiator.begin({ cdb: read10(0, 2048), read: 1_048_576 })),
  );
  for (const read of reads) {
    harness.clock.advance(20_000);
    assertEquals((await read.result()).data.length, 1_048_576);
  }
  assert(!isClosed(), "it has read all the time");
}

Deno.test("a peer that only reads is not taken for gone while it does", () =>
  withHarness({ ping: PATIENT }, readSlowly));
