/** Snapshots and counters, through the whole node. */
import { assertEquals, assertRejects } from "@std/assert";
import { Limits } from "../../../lib/iscsi/limits.ts";
import { read10, testUnitReady, write10 } from "../../support/initiator_cdb.ts";
import { LoginRefused } from "../../support/initiator_login.ts";
import { Opcode, type Pdu } from "../../support/initiator_pdu.ts";
import { RequestPdu, scsiCommand } from "../../support/initiator_request.ts";
import { ScsiStatus } from "../../support/initiator_sense.ts";
import { MemoryStore } from "../../support/memory_store.ts";
import { SlowStore } from "../../support/slow_store.ts";
import { ENDS, type Harness, nameOf, withHarness } from "../../support/harness.ts";
import type { ConnectionSnapshot, SessionSnapshot } from "../../../lib/iscsi/session/session_snapshot.ts";
import { settle, until } from "../../support/until.ts";
import { pattern } from "../../support/content.ts";
import { numbered } from "../../support/exchanges.ts";

const SIZE = 1024 * 1024;
const OTHER_ISID = Uint8Array.of(0x80, 0, 0, 0, 0, 2);

function onlySession(harness: Harness): SessionSnapshot {
  const { sessions } = harness.node.snapshot();
  assertEquals(sessions.length, 1);
  return sessions[0]!;
}

Deno.test("a snapshot says who is there, since when, from where, and what was negotiated", () =>
  withHarness({ sessions: 7, connections: 5 }, async (harness) => {
    const beganAtMs = harness.clock.now();
    const initiator = await harness.logIn();
    harness.clock.advance(5_000);
    harness.connect();
    const { limits, connectionsInLogin } = harness.node.snapshot();
    assertEquals([limits, connectionsInLogin], [{ sessions: 7, connections: 5 }, 1]);
    const session = onlySession(harness);
    assertEquals([session.targetName, session.beganAtMs], [nameOf(), beganAtMs]);
    const [{ cid, parameters, ...ends }] = session.connections as [ConnectionSnapshot];
    assertEquals([cid, ends], [0, ENDS]);
    assertEquals(parameters.maxBurstLength, initiator.parameters.maxBurstBytes);
    const snapshot = harness.node.snapshot();
    assertEquals(JSON.parse(JSON.stringify(snapshot)), snapshot, "it is plain data");
  }));

Deno.test("a snapshot counts what sessions and logical units do", () =>
  withHarness({ targets: [{ stores: [new MemoryStore({ sizeBytes: SIZE })] }] }, async (harness) => {
    const initiator = await harness.logIn();
    await initiator.command({ cdb: write10(0, 16), write: pattern(8192) });
    await initiator.command({ cdb: read10(0, 8), read: 4096 });
    await initiator.command({ cdb: read10(0, 1), read: 512 });
    await initiator.command({ cdb: read10(SIZE / 512, 1), read: 512 });
    const { reads, writes, otherCommands, failures } = onlySession(harness).traffic!;
    assertEquals([reads.commands, reads.bytes], [3, 4608], "one of them failed");
    assertEquals([writes.commands, writes.bytes], [1, 8192]);
    assertEquals(otherCommands, 1);
    assertEquals(failures, { illegalRequest: 1, unitAttention: 1 });
    const before = harness.node.snapshot().targets[0]!.logicalUnits[0]!;
    assertEquals(before.traffic, onlySession(harness).traffic);
    await initiator.logout();
    await settle();
    const { sessions, targets } = harness.node.snapshot();
    assertEquals([sessions, targets[0]!.logicalUnits[0]!.traffic.reads], [[], reads], "its unit remembers");
  }));

/** Additional header segment of a command that expects to read 8192 bytes besides (RFC 7143, 11.2.2.4). */
const READS_8192 = Uint8Array.of(0, 5, 2, 0, 0, 0, 0x20, 0);

Deno.test("a snapshot counts what a bidirectional write has moved, however much it expects to read", () =>
  withHarness({}, async (harness) => {
    const initiator = await harness.logIn();
    const { header } = scsiCommand({
      ...numbered(initiator),
      isFinal: true,
      reads: true,
      writes: true,
      lun: 0,
      expectedLength: 512,
      cdb: write10(0, 8),
    });
    const write = new RequestPdu(Opcode.scsiCommand, header[1]!, pattern(512), READS_8192);
    write.header.set(header.subarray(8), 8);
    await initiator.send(write);
    const { opcode, status, residualCount } = await initiator.receive();
    assertEquals([opcode, status, residualCount], [Opcode.scsiResponse, ScsiStatus.good, 4096 - 512]);
    assertEquals(onlySession(harness).traffic!.writes.bytes, 512);
  }));

Deno.test("a command that waits for its medium is timed from when it came", () => {
  const store = new SlowStore(new MemoryStore({ sizeBytes: SIZE }));
  return withHarness({ targets: [{ stores: [store] }] }, async (harness) => {
    const initiator = await harness.logIn();
    const reading = initiator.command({ cdb: read10(0, 8), read: 4096 });
    await until(() => store.pending.length > 0, "the store is asked");
    harness.clock.advance(30);
    await initiator.command({ cdb: testUnitReady() });
    assertEquals(onlySession(harness).traffic!.reads.commands, 0);
    harness.clock.advance(30);
    store.releaseAll();
    await reading;
    const { commands, latencies } = onlySession(harness).traffic!.reads;
    assertEquals([commands, latencies.totalMs], [1, 60]);
  });
});

Deno.test("every refusal is remembered, with the rule that refused", () =>
  withHarness(
    { targets: [{}, { name: "listed", initiators: ["iqn.2000-01.a:friend"] }], sessions: 1 },
    async (harness) => {
      const refuse = (targetName: string): Promise<unknown> =>
        assertRejects(() => harness.connect().login({ targetName, isid: OTHER_ISID }), LoginRefused);
      await refuse(nameOf("unknown"));
      await refuse(nameOf("listed"));
      await harness.logIn();
      await refuse(nameOf("disk"));
      harness.connect();
      harness.clock.advance(Limits.loginMs);
      const { recent, totals } = harness.node.snapshot().refusals;
      assertEquals(totals, {
        target: 1,
        networks: 0,
        initiators: 1,
        authentication: 0,
        limit: 1,
        time: 1,
        protocol: 0,
        fault: 0,
      });
      assertEquals(recent.map(({ reason, targetName }) => [reason, targetName]), [
        ["time", null],
        ["limit", nameOf("disk")],
        ["initiators", nameOf("listed")],
        ["target", nameOf("unknown")],
      ]);
    },
  ));

Deno.test("a login against the rules of the protocol counts as one, and is no fault of the target", () =>
  withHarness({}, async (harness) => {
    const initiator = harness.connect();
    // It says neither who logs in nor to what.
    await initiator.send(new RequestPdu(Opcode.loginRequest | 0x40, 0x87));
    const [{ statusClass, statusDetail }] = await initiator.receiveEnd() as [Pdu];
    assertEquals([statusClass, statusDetail], [2, 7]);
    const { protocol, fault } = harness.node.snapshot().refusals.totals;
    assertEquals([protocol, fault], [1, 0]);
    assertEquals(harness.events.map(({ level, details }) => [level, details?.reason]), [[
      "warning",
      "protocol",
    ]]);
  }));
