/**
 * Peers that do their worst on purpose: each can at most lose its own connection. Another session, which does nothing
 * wrong, reads and writes all the while, and afterwards the node holds nothing of the hostile one.
 */
import { assert, assertEquals, assertLess } from "@std/assert";
import { interfaceAddresses } from "../../../lib/access/interfaces.ts";
import { Limits } from "../../../lib/iscsi/limits.ts";
import { RejectReason } from "../../../lib/iscsi/pdu/reject_reason.ts";
import type { Initiator } from "../../support/initiator.ts";
import { read10, testUnitReady, write10 } from "../../support/initiator_cdb.ts";
import { ISID, Stage } from "../../support/initiator_login.ts";
import { NO_TAG, Opcode, type Pdu } from "../../support/initiator_pdu.ts";
import {
  loginRequest,
  nopOut,
  RequestPdu,
  scsiCommand,
  TaskManagement,
  taskManagementRequest,
  textRequest,
} from "../../support/initiator_request.ts";
import { ScsiStatus, SenseKey } from "../../support/initiator_sense.ts";
import { encodeText } from "../../support/initiator_text.ts";
import { MemoryStore } from "../../support/memory_store.ts";
import {
  type Harness,
  type HarnessOptions,
  nameOf,
  TEST_UNIT_READY,
  withHarness,
} from "../../support/harness.ts";
import { settle, until } from "../../support/until.ts";
import { assertSameBytes, contentOf, pattern } from "../../support/content.ts";
import { drain, numbered, transfer } from "../../support/exchanges.ts";

const SIZE = 1024 * 1024;
const BYSTANDER = "bystander";

interface Scene {
  readonly harness: Harness;
  readonly store: MemoryStore;
  /** Writes and reads on a target of its own, and checks what it gets. */
  readonly bystand: () => Promise<void>;
}

/** A test with a node that another initiator also uses. At its end, nothing of the hostile peers is left. */
function testHostile(name: string, test: (scene: Scene) => Promise<void>): void {
  Deno.test(name, async () => {
    const store = new MemoryStore({ sizeBytes: SIZE });
    const targets = [{ stores: [store] }, {
      name: BYSTANDER,
      stores: [new MemoryStore({ sizeBytes: SIZE })],
    }];
    await withHarness({ targets }, async (harness) => {
      const initiatorName = "iqn.2000-01.a:bystander";
      const bystander = await harness.logIn({ targetName: nameOf(BYSTANDER), initiatorName });
      let round = 0;
      const bystand = async (): Promise<void> => {
        const write = pattern(8192, ++round);
        assertEquals((await bystander.command({ cdb: write10(round, 16), write })).status, ScsiStatus.good);
        const { data } = await bystander.command({ cdb: read10(round, 16), read: write.length });
        await assertSameBytes(data, write, "what the bystander wrote");
      };
      await test({ harness, store, bystand });
      await bystand();
      await harness.endOthers(bystander);
      assertEquals(harness.node.holdings, { connections: 1, sessions: 1, works: 0, textBytes: 0 });
    });
  });
}

function command(initiator: Initiator, options: Partial<Parameters<typeof scsiCommand>[0]> = {}): RequestPdu {
  return scsiCommand({ ...numbered(initiator), ...TEST_UNIT_READY, ...options });
}

testHostile(
  "slowloris: a login that comes a byte at a time ends at the deadline",
  async ({ harness, bystand }) => {
    const { initiator, isClosed, served } = harness.open();
    const bytes = loginRequest({
      isTransit: true,
      currentStage: Stage.operational,
      nextStage: Stage.fullFeature,
      isid: ISID,
      initiatorTaskTag: 1,
      cmdSn: 1,
      expStatSn: 0,
      text: encodeText([["InitiatorName", "iqn.2000-01.a:slow"], ["TargetName", nameOf()]]),
    }).encode();
    const stepMs = Math.floor(Limits.loginMs / 20);
    for (let count = 0; count < 19; count++) {
      await initiator.send(bytes.subarray(count, count + 1));
      harness.clock.advance(stepMs);
    }
    await bystand();
    assert(!isClosed(), "it has still a little time");
    harness.clock.advance(2 * stepMs);
    await served;
    assert(isClosed(), "its time is over, however busy it was");
  },
);

testHostile("slowloris: logins in many small requests end at the deadline too", async ({ harness }) => {
  const { initiator, isClosed, served } = harness.open();
  const names = encodeText([["InitiatorName", "iqn.2000-01.a:slow"], ["TargetName", nameOf()]]);
  for (let count = 0; count < 5; count++) {
    const common = { isTransit: false, currentStage: Stage.operational, nextStage: 0, isid: ISID };
    const text = count === 0 ? names : new Uint8Array(0);
    await initiator.send(loginRequest({ ...common, initiatorTaskTag: 1, cmdSn: 1, expStatSn: 0, text }));
    assertEquals((await initiator.receive()).statusClass, 0);
    harness.clock.advance(Limits.loginMs / 5);
  }
  await served;
  assert(isClosed());
});

testHostile("connections that never say a word end at the deadline", async ({ harness, bystand }) => {
  const silent = Array.from({ length: 20 }, () => harness.open());
  await bystand();
  harness.clock.advance(Limits.loginMs);
  for (const { served } of silent) await served;
});

testHostile("1,000 connections at once keep nobody out", async ({ harness, bystand }) => {
  for (let count = 0; count < 1000; count++) {
    harness.open({ ends: { peerAddress: `10.9.${count >> 8}.${count & 0xff}` } });
    if (count % 250 === 0) await bystand();
  }
  await settle();
  assertLess(harness.node.holdings.connections, Limits.connectionsInLogin + 2);
  await harness.logIn();
});

testHostile("continued text of no length, without end, ends a login", async ({ harness }) => {
  const { initiator, served } = harness.open();
  const request = loginRequest({
    isTransit: false,
    isContinued: true,
    currentStage: Stage.operational,
    nextStage: 0,
    isid: ISID,
    initiatorTaskTag: 1,
    cmdSn: 1,
    expStatSn: 0,
  });
  const flood = Array.from({ length: 10 * Limits.loginRequests }, () => request);
  await initiator.send(...flood).catch(() => {});
  const pdus = await initiator.receiveEnd();
  assertEquals([pdus.length, pdus.at(-1)!.statusClass], [Limits.loginRequests + 1, 2]);
  await served;
});

testHostile("continued text of no length, without end, costs a session nothing", async ({ harness }) => {
  const initiator = await harness.logIn();
  let targetTransferTag = NO_TAG;
  for (let count = 0; count < 1000; count++) {
    const request = { ...numbered(initiator), isFinal: false, isContinued: true, targetTransferTag };
    const answer = await initiator.exchange(request.initiatorTaskTag, textRequest(request));
    assertEquals([answer.opcode, answer.data.length], [Opcode.textResponse, 0]);
    targetTransferTag = answer.targetTransferTag;
  }
});

testHostile("10,000 keys in one text request are rejected", async ({ harness }) => {
  const initiator = await harness.logIn();
  const text = encodeText(Array.from({ length: 10_000 }, (_, index) => [`K${index}`, "1"] as const));
  assertLess(text.length, Limits.dataSegmentBytes);
  await initiator.send(textRequest({ ...numbered(initiator), isFinal: true, text }));
  const pdu = await initiator.receive();
  assertEquals([pdu.opcode, pdu.response], [Opcode.reject, RejectReason.protocolError]);
});

testHostile(
  "a WRITE whose CmdSN was used before, or lies outside the window, writes nothing",
  async (scene) => {
    const initiator = await scene.harness.logIn();
    await initiator.command({ cdb: write10(0, 1), write: pattern(512) });
    const { nextCmdSn, maxCmdSn } = initiator;
    const before = scene.store.writeCount;
    for (const cmdSn of [nextCmdSn - 1, nextCmdSn - 2, nextCmdSn - 1000, maxCmdSn! + 1, maxCmdSn! + 5000]) {
      const write = { writes: true, expectedLength: 512, cdb: write10(0, 1), data: pattern(512, 9) };
      await initiator.send(command(initiator, { ...write, cmdSn: cmdSn >>> 0 }));
    }
    await scene.bystand();
    assertEquals(await drain(initiator), []);
    assertEquals(scene.store.writeCount, before);
  },
);

testHostile(
  "one task tag for everything at once gives each command its due or a Reject",
  async ({ harness }) => {
    const initiator = await harness.logIn();
    const first = initiator.takeCmdSn();
    // Whatever is rejected leaves its number to the next one.
    const pdus = Array.from({ length: 100 }, (_, index) =>
      command(initiator, {
        initiatorTaskTag: 7,
        cmdSn: index === 0 ? first : first + 1,
        ...(index % 2 === 0 ? { writes: true, expectedLength: 8192, cdb: write10(0, 16) } : {}),
      }));
    await initiator.send(...pdus);
    const counts = new Map<number, number>();
    for (const { opcode } of await drain(initiator)) counts.set(opcode, (counts.get(opcode) ?? 0) + 1);
    // The first write waits for its data; whatever comes meanwhile under its tag is rejected.
    assertEquals([...counts], [[Opcode.readyToTransfer, 1], [Opcode.reject, 99]]);
  },
);

testHostile("lengths of 4 GiB are only as long as the command", async ({ harness, store }) => {
  const initiator = await harness.logIn();
  const read = await transfer(initiator, { cdb: read10(0, 1), read: 512, expectedLength: 0xffffffff });
  assertEquals([read.status, read.data.length, read.residual], [ScsiStatus.good, 512, 512 - 0xffffffff]);
  const write = pattern(512);
  const written = await transfer(initiator, { cdb: write10(0, 1), write, expectedLength: 0xffffffff });
  assertEquals([written.status, written.residual], [ScsiStatus.good, 512 - 0xffffffff]);
  await assertSameBytes(contentOf(store, 0, 512), write);
});

testHostile(
  "a command of 260 bytes, and one both ways, are refused as commands",
  async ({ harness, bystand }) => {
    const initiator = await harness.logIn();
    const cdb = new Uint8Array(260);
    cdb[0] = 0x7f;
    for (
      const options of [{ cdb }, { reads: true, writes: true, expectedLength: 512, cdb: cdb.subarray(0, 16) }]
    ) {
      const pdu = command(initiator, options);
      const answers: number[] = [];
      await initiator.send(pdu);
      for (const { opcode, status, data } of await drain(initiator)) {
        answers.push(
          opcode,
          status,
          data[4]! & 0x0f,
        );
      }
      assertEquals(answers, [Opcode.scsiResponse, ScsiStatus.checkCondition, SenseKey.illegalRequest]);
    }
    await bystand();
  },
);

testHostile("additional headers that are none, or as long as they can be, end the session", async (scene) => {
  const ahs = [
    new Uint8Array(4),
    new Uint8Array(1020).fill(0xff),
    Uint8Array.of(0, 5, 2, 0, 0, 0, 2, 0, 0xff, 0xff, 1, 0),
    Uint8Array.of(0, 1, 3, 0),
  ];
  for (const each of ahs) {
    const { initiator, served } = scene.harness.open();
    await initiator.login({ targetName: nameOf() });
    const made = command(initiator);
    const pdu = new RequestPdu(0, 0, undefined, each);
    pdu.header.set(made.header);
    pdu.header[4] = each.length / 4;
    await initiator.send(pdu);
    assertEquals(await initiator.receiveEnd(), []);
    await served;
    await scene.bystand();
  }
});

testHostile(
  "a flood of pings that nobody reads the answers of is held back",
  async ({ harness, bystand }) => {
    const { initiator, traffic } = harness.open();
    await initiator.login({ targetName: nameOf() });
    const ping = nopOut({ ...numbered(initiator, true), data: pattern(4096) }).encode();
    const flood = new Uint8Array(ping.length * 2000);
    for (let index = 0; index < 2000; index++) flood.set(ping, index * ping.length);
    // Its answers are not read: the pipe takes some, and the node keeps some more.
    initiator.connection.send(flood).catch(() => {});
    await bystand();
    // It takes its turns with others, so that it may not have taken yet what it will.
    let taken = 0;
    for (let turn = 0; turn < 100 && traffic.taken > taken; turn++) {
      taken = traffic.taken;
      await settle();
    }
    assertEquals(traffic.taken, taken, "nothing more is taken");
    assertLess(taken, Limits.sendBufferBytes + 2 * Limits.receiveBufferBytes);
  },
);

testHostile(
  "a flood of task management requests is answered or rejected, one by one",
  async ({ harness, bystand }) => {
    const initiator = await harness.logIn();
    const functions = [
      TaskManagement.abortTask,
      TaskManagement.abortTaskSet,
      TaskManagement.logicalUnitReset,
      99,
    ];
    const flood = Array.from({ length: 2000 }, (_, index) =>
      taskManagementRequest({
        ...numbered(initiator, true),
        function: functions[index % 4]!,
        referencedTaskTag: 5,
      }));
    await initiator.send(...flood);
    await bystand();
    const answers = await drain(initiator);
    assertEquals(answers.length, flood.length);
    assert(answers.every(({ opcode }) => opcode === Opcode.taskManagementResponse));
  },
);

testHostile(
  "immediate writes whose data never comes are bounded, and end with their session",
  async (scene) => {
    const { initiator } = scene.harness.open();
    await initiator.login({ targetName: nameOf() });
    await initiator.command({ cdb: testUnitReady() });
    const write = { writes: true, expectedLength: 65_536, cdb: write10(0, 128) };
    const pdus = Array.from(
      { length: 500 },
      () => command(initiator, { ...write, ...numbered(initiator, true) }),
    );
    await initiator.send(...pdus);
    const answers = await drain(initiator);
    const rejects = answers.filter(({ opcode }) => opcode === Opcode.reject);
    assertEquals(rejects.length, 500 - Limits.immediateCommands);
    assert(rejects.every(({ response }) => response === RejectReason.immediateCommandReject));
    await scene.bystand();
  },
);

testHostile("a stream of noise after the login costs the connection", async ({ harness, bystand }) => {
  const { initiator, served } = harness.open();
  await initiator.login({ targetName: nameOf() });
  initiator.send(new Uint8Array(100_000).fill(0xa5)).catch(() => {});
  await until(() => harness.node.holdings.connections === 1, "the node is rid of it");
  await served;
  await bystand();
});

/** A thousand targets, of which a list with all their addresses takes more than a MiB. */
const THOUSAND: HarnessOptions = {
  targets: Array.from({ length: 1000 }, (_, index) => ({
    name: `${"long".repeat(45)}${index}`,
    networks: ["10.0.0.0/8"],
    stores: [],
  })),
  interfaces: interfaceAddresses(
    Array.from({ length: 30 }, (_, index) => `10.0.0.${100 + index}`)
      .map((address) => ({ name: "eth0", address, cidr: `${address}/8` })),
  ),
};

/** Asks for all targets, and takes no more than the first piece of the answer, or a Reject. */
async function beginDiscovery(harness: Harness, number: number): Promise<{ initiator: Initiator; pdu: Pdu }> {
  const initiator = harness.connect();
  await initiator.login({ isid: Uint8Array.of(0x80, 0, 0, 0, 1, number) });
  const text = encodeText([["SendTargets", "All"]]);
  await initiator.send(textRequest({ ...numbered(initiator), isFinal: true, text }));
  return { initiator, pdu: await initiator.receive() };
}

Deno.test("a crowd that takes no more than the beginning of long answers makes the target keep little", () =>
  withHarness(THOUSAND, async (harness) => {
    const { textBudget } = harness.node;
    const crowd = [];
    for (let number = 0; number < Limits.discoverySessions; number++) {
      crowd.push(await beginDiscovery(harness, number));
      assertLess(textBudget.bytes, Limits.textBudgetBytes + 1);
    }
    const kept = crowd.filter(({ pdu }) => pdu.opcode === Opcode.textResponse);
    const rejected = crowd.filter(({ pdu }) => pdu.opcode === Opcode.reject);
    const bytesEach = textBudget.bytes / kept.length;
    assertEquals([kept.length, rejected.length], [
      Math.floor(Limits.textBudgetBytes / bytesEach),
      Limits.discoverySessions - kept.length,
    ]);
    const [first] = rejected;
    assertEquals(first!.pdu.response, RejectReason.longOperationReject);
    // What is asked for is short, and needs no room: the connection lives on.
    const missing = { ...numbered(first!.initiator, true), isFinal: true };
    await first!.initiator.send(
      textRequest({ ...missing, text: encodeText([["SendTargets", "iqn.2000-01.a:b"]]) }),
    );
    assertEquals((await first!.initiator.receive()).opcode, Opcode.textResponse);
    // One starts again, which leaves room; the request that was rejected is sent again, unchanged (7.3).
    const [leaving] = kept;
    assertEquals(await leaving!.initiator.text([]), []);
    assertEquals((await first!.initiator.sendTargets()).length, 1000);
    // Another goes away in the middle of its answer.
    const held = textBudget.bytes;
    await kept[1]!.initiator.close();
    await until(() => textBudget.bytes === held - bytesEach, "the node forgets what it kept for it");
  }));
