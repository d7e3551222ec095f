/**
 * The order of commands and everything that is no SCSI data (RFC 7143, 4.2.2, 11.10 to 11.19), through the whole node.
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { readUint32 } from "../../../lib/bytes/big_endian.ts";
import { serialAdd, serialDistance } from "../../../lib/bytes/serial_number.ts";
import { Limits } from "../../../lib/iscsi/limits.ts";
import { HELD_FRAME_BYTES } from "../../../lib/iscsi/session/command_window.ts";
import { RejectReason } from "../../../lib/iscsi/pdu/reject_reason.ts";
import type { Initiator } from "../../support/initiator.ts";
import { read10, synchronizeCache10, testUnitReady, write10 } from "../../support/initiator_cdb.ts";
import { Rejected } from "../../support/initiator_dispatcher.ts";
import { NO_TAG, Opcode, type Pdu } from "../../support/initiator_pdu.ts";
import {
  dataOut,
  LogoutReason,
  logoutRequest,
  nopOut,
  RequestPdu,
  scsiCommand,
  snackRequest,
  TaskManagement,
  taskManagementRequest,
  textRequest,
} from "../../support/initiator_request.ts";
import { ScsiStatus, SenseKey, senseOfResponse } from "../../support/initiator_sense.ts";
import { decodeText, encodeText, type TextPairs } from "../../support/initiator_text.ts";
import { MemoryStore } from "../../support/memory_store.ts";
import { SlowStore } from "../../support/slow_store.ts";
import {
  type Harness,
  type HarnessOptions,
  nameOf,
  TEST_UNIT_READY,
  withHarness,
} from "../../support/harness.ts";
import { settle, until } from "../../support/until.ts";
import { assertSameBytes, contentOf, pattern } from "../../support/content.ts";
import { beginSolicited, drain, numbered } from "../../support/exchanges.ts";

const SIZE = 4 * 1024 * 1024;

/** A write of one block, with its data in the command, in Data-Out, or in both. */
function writeOf(
  initiator: Initiator,
  write: {
    readonly cmdSn: number;
    readonly data: Uint8Array;
    readonly immediate?: number;
    readonly tag?: number;
  },
): RequestPdu[] {
  const { cmdSn, data, immediate = data.length, tag = initiator.nextTaskTag() } = write;
  const numbers = { initiatorTaskTag: tag, expStatSn: initiator.expStatSn };
  const command = scsiCommand({
    ...numbers,
    cmdSn,
    isFinal: immediate === data.length,
    reads: false,
    writes: true,
    lun: 0,
    expectedLength: data.length,
    cdb: write10(0, data.length / 512),
    data: data.subarray(0, immediate),
  });
  if (immediate === data.length) return [command];
  const rest = data.subarray(immediate);
  return [
    command,
    dataOut({ ...numbers, isFinal: true, lun: 0, dataSn: 0, bufferOffset: immediate, data: rest }),
  ];
}

/** Runs a test with a session and its store. */
function withSession(
  test: (initiator: Initiator, store: MemoryStore, harness: Harness) => Promise<void>,
  options: { readonly firstCmdSn?: number } = {},
): Promise<void> {
  const store = new MemoryStore({ sizeBytes: SIZE });
  return withHarness({ targets: [{ stores: [store] }] }, async (harness) => {
    await test(await harness.logIn({}, options), store, harness);
  });
}

/** Runs a test with a discovery session. */
function withDiscovery(
  test: (initiator: Initiator) => Promise<void>,
  options: HarnessOptions = {},
): Promise<void> {
  return withHarness(options, async (harness) => {
    const initiator = harness.connect();
    await initiator.login();
    await test(initiator);
  });
}

/** Fields of a request that is to be rejected: its number is left for the next one (7.3). */
function toBeRejected(initiator: Initiator): ReturnType<typeof numbered> {
  return { ...numbered(initiator, true), isImmediate: false };
}

async function assertRejectedWith(
  initiator: Initiator,
  reason: number,
  pdu: RequestPdu,
  drainAll = drain,
): Promise<void> {
  await initiator.send(pdu);
  const answer = await initiator.receive();
  assertEquals([answer.opcode, answer.response], [Opcode.reject, reason]);
  assertEquals(answer.data, pdu.header, "the header comes back");
  assertEquals(await drainAll(initiator), []);
}

/** Does the same as `drain` in a discovery session, by a Text Request: there are no pings. */
async function drainByText(initiator: Initiator): Promise<Pdu[]> {
  const request = { ...numbered(initiator, true), isFinal: true };
  await initiator.send(textRequest(request));
  const pdus: Pdu[] = [];
  for (let pdu = await initiator.receive(); pdu.initiatorTaskTag !== request.initiatorTaskTag;) {
    pdus.push(pdu);
    pdu = await initiator.receive();
  }
  return pdus;
}

Deno.test("commands that come before their turn are carried out in the order of CmdSN", async () => {
  // Once where the numbers are plain, once where they wrap.
  for (const firstCmdSn of [100, 0xfffffffa]) {
    await withSession(async (initiator, store) => {
      const first = initiator.nextCmdSn;
      for (let offset = 9; offset >= 0; offset--) {
        assertEquals(store.writeCount, 0);
        const immediate = offset % 3 === 0 ? 512 : offset % 3 === 1 ? 0 : 100;
        const cmdSn = serialAdd(first, offset);
        await initiator.send(...writeOf(initiator, { cmdSn, data: pattern(512, offset), immediate }));
        if (offset > 0) assertEquals(await drain(initiator), []);
      }
      for (let offset = 0; offset < 10; offset++) initiator.takeCmdSn();
      const answers: Pdu[] = [];
      for (let count = 0; count < 10; count++) answers.push(await initiator.receive());
      assert(
        answers.every(({ opcode, status }) => opcode === Opcode.scsiResponse && status === ScsiStatus.good),
      );
      assertEquals(initiator.expCmdSn, initiator.nextCmdSn);
      await assertSameBytes(contentOf(store, 0, 512), pattern(512, 9));
    }, { firstCmdSn });
  }
});

Deno.test("a second command with a number that is held or done is ignored", () =>
  withSession(async (initiator, store) => {
    const cmdSn = initiator.takeCmdSn();
    const later = initiator.takeCmdSn();
    await initiator.send(...writeOf(initiator, { cmdSn: later, data: pattern(512, 1) }));
    await initiator.send(...writeOf(initiator, { cmdSn: later, data: pattern(512, 2) }));
    await initiator.send(...writeOf(initiator, { cmdSn, data: pattern(512, 3) }));
    await initiator.send(...writeOf(initiator, { cmdSn, data: pattern(512, 4) }));
    await initiator.send(...writeOf(initiator, { cmdSn: later, data: pattern(512, 5) }));
    assertEquals((await drain(initiator)).length, 2);
    assertEquals(store.writeCount, 2);
    await assertSameBytes(contentOf(store, 0, 512), pattern(512, 1));
  }));

for (const isImmediate of [false, true]) {
  const what = isImmediate
    ? "an immediate command that waits with a function"
    : "a command that waits for a lost one";
  Deno.test(`data for ${what} is bounded: with too much of it the connection ends`, () =>
    withHarness({}, async (harness) => {
      const { initiator, served } = harness.open();
      await initiator.login({ targetName: nameOf(), keys: { InitialR2T: "No" } });
      initiator.takeCmdSn();
      if (isImmediate) {
        const abort = { ...numbered(initiator, true), function: TaskManagement.abortTaskSet };
        await initiator.send(taskManagementRequest({ ...abort, referencedTaskTag: NO_TAG }));
      }
      const request = numbered(initiator, isImmediate);
      const write = { isFinal: false, reads: false, writes: true, lun: 0, expectedLength: 512 };
      const piece = dataOut({
        isFinal: false,
        lun: 0,
        initiatorTaskTag: request.initiatorTaskTag,
        expStatSn: initiator.expStatSn,
        dataSn: 0,
        bufferOffset: 0,
        data: new Uint8Array(),
      });
      const pieces = Array<RequestPdu>(Limits.heldCommandBytes / HELD_FRAME_BYTES).fill(piece);
      const sending = initiator.send(scsiCommand({ ...request, ...write, cdb: write10(0, 1) }), ...pieces)
        .catch(() => {});
      assertEquals(await initiator.receiveEnd(), []);
      await sending;
      await served;
      assert(harness.log.some((line) => line.includes("commands wait for an earlier one")));
    }));
}

Deno.test("commands outside the window are ignored, whatever they are", () =>
  withSession(async (initiator, store) => {
    const { maxCmdSn, expCmdSn } = initiator;
    for (const cmdSn of [serialAdd(expCmdSn!, -1), serialAdd(expCmdSn!, -1000), serialAdd(maxCmdSn!, 1)]) {
      await initiator.send(...writeOf(initiator, { cmdSn, data: pattern(512) }));
      const numbers = { initiatorTaskTag: initiator.nextTaskTag(), cmdSn, expStatSn: initiator.expStatSn };
      await initiator.send(nopOut(numbers));
      await initiator.send(logoutRequest({ ...numbers, reason: LogoutReason.closeSession }));
      await initiator.send(textRequest({ ...numbers, isFinal: true, isContinued: true }));
    }
    assertEquals(await drain(initiator), []);
    assertEquals([store.writeCount, initiator.expCmdSn], [0, expCmdSn]);
    await initiator.send(...writeOf(initiator, { cmdSn: maxCmdSn!, data: pattern(512) }));
    assertEquals(await drain(initiator), [], "the last one of the window is held");
  }));

Deno.test("the window is bounded by what a slow medium holds, stays open for pings, and opens again", async () => {
  const store = new SlowStore(new MemoryStore({ sizeBytes: SIZE }));
  await withHarness({ targets: [{ stores: [store] }] }, async (harness) => {
    const initiator = await harness.logIn();
    const commands = [];
    for (let index = 0; index < Limits.commandWindow; index++) {
      commands.push(await initiator.begin({ cdb: write10(index, 1), write: pattern(512) }));
    }
    await initiator.nop();
    assertEquals(serialDistance(initiator.expCmdSn!, initiator.maxCmdSn!), -1, "the window is closed");
    await initiator.send(...writeOf(initiator, { cmdSn: initiator.nextCmdSn, data: pattern(512) }));
    await initiator.nop();
    assertEquals(store.pending.length, Limits.commandWindow);
    store.releaseAll();
    for (const command of commands) assertEquals((await command.result()).status, ScsiStatus.good);
    await initiator.nop();
    assertEquals(serialDistance(initiator.expCmdSn!, initiator.maxCmdSn!), Limits.commandWindow - 1);
  });
});

/** Requests that use up a number and are no SCSI commands; more of them than the window has room for. */
const MANY = 3 * Limits.commandWindow;

Deno.test("the window stays open over many pings that are not immediate", () =>
  withSession(async (initiator) => {
    for (let count = 0; count < MANY; count++) {
      const request = numbered(initiator);
      assertEquals(
        (await initiator.exchange(request.initiatorTaskTag, nopOut(request))).opcode,
        Opcode.nopIn,
      );
    }
    assertEquals((await initiator.command({ cdb: testUnitReady() })).status, ScsiStatus.good);
  }, { firstCmdSn: 0xffffff80 }));

Deno.test("the window stays open over many text requests of a discovery session", () =>
  withDiscovery(async (initiator) => {
    const text = encodeText([["SendTargets", "All"]]);
    for (let count = 0; count < MANY; count++) {
      const request = numbered(initiator);
      const pdu = await initiator.exchange(
        request.initiatorTaskTag,
        textRequest({ ...request, isFinal: true, text }),
      );
      assertEquals(pdu.opcode, Opcode.textResponse);
    }
  }));

Deno.test("the window stays open over many task management requests, and rejected ones before them", () =>
  withSession(async (initiator) => {
    for (let count = 0; count < MANY; count++) {
      await initiator.send(textRequest({ ...toBeRejected(initiator), isFinal: true, isContinued: true }));
      assertEquals((await initiator.receive()).opcode, Opcode.reject);
      const abort = { function: TaskManagement.abortTask, referencedTaskTag: 1 };
      await initiator.send(taskManagementRequest({ ...numbered(initiator), ...abort }));
      assertEquals((await initiator.receive()).opcode, Opcode.taskManagementResponse);
      const width = serialDistance(initiator.expCmdSn!, initiator.maxCmdSn!) + 1;
      assertEquals(width, Limits.commandWindow, "rejected ones give and take nothing");
    }
    assertEquals((await initiator.command({ cdb: testUnitReady() })).status, ScsiStatus.good);
  }, { firstCmdSn: 0xffffff80 }));

/** A session on a slow medium, where a read is under way. */
interface BusySession {
  readonly initiator: Initiator;
  readonly store: SlowStore;
  /** Tag of the read. */
  readonly tagInUse: number;
}

async function withBusySession(test: (session: BusySession) => Promise<void>): Promise<void> {
  const store = new SlowStore(new MemoryStore({ sizeBytes: SIZE }));
  await withHarness({ targets: [{ stores: [store] }] }, async (harness) => {
    const initiator = await harness.logIn();
    const read = await initiator.begin({ cdb: read10(0, 1), read: 512 });
    read.forget();
    await until(() => store.pending.length === 1, "the read is under way");
    await test({ initiator, store, tagInUse: read.initiatorTaskTag });
  });
}

type NumberedFields = ReturnType<typeof numbered>;

/** Every way in which a request that is not immediate can be rejected, but for digests and discovery sessions. */
const REJECTED: readonly (readonly [
  how: string,
  reason: number,
  make: (fields: NumberedFields, session: BusySession) => RequestPdu,
])[] = [
  [
    "text final and continued at once",
    RejectReason.protocolError,
    (fields) => textRequest({ ...fields, isFinal: true, isContinued: true }),
  ],
  [
    "a ping without task tag",
    RejectReason.protocolError,
    (fields) => nopOut({ ...fields, initiatorTaskTag: NO_TAG }),
  ],
  [
    "a command without task tag",
    RejectReason.invalidPduField,
    (fields) => scsiCommand({ ...fields, ...TEST_UNIT_READY, initiatorTaskTag: NO_TAG }),
  ],
  ["an unknown opcode", RejectReason.commandNotSupported, (fields) => {
    const pdu = nopOut(fields);
    pdu.header[0] = 0x1c;
    return pdu;
  }],
  [
    "text that is none",
    RejectReason.protocolError,
    (fields) => textRequest({ ...fields, isFinal: true, text: new TextEncoder().encode("nonsense\0") }),
  ],
  [
    "text that continues nothing",
    RejectReason.protocolError,
    (fields) => textRequest({ ...fields, isFinal: true, targetTransferTag: 99 }),
  ],
  [
    "a logout for no reason",
    RejectReason.invalidPduField,
    (fields) => logoutRequest({ ...fields, reason: 3 }),
  ],
  [
    "a task tag in use",
    RejectReason.taskInProgress,
    (fields, { tagInUse }) => scsiCommand({ ...fields, ...TEST_UNIT_READY, initiatorTaskTag: tagInUse }),
  ],
];

/** Ways to fill the gap that a rejected request leaves. */
const FILLED: Readonly<Record<string, (initiator: Initiator, rejected: RequestPdu) => Promise<void>>> = {
  "another command with its number": async (initiator, rejected) => {
    const fields = { ...numbered(initiator, true), isImmediate: false, cmdSn: cmdSnOf(rejected) };
    const answer = await initiator.exchange(
      fields.initiatorTaskTag,
      scsiCommand({ ...fields, ...TEST_UNIT_READY }),
    );
    assertEquals([answer.opcode, answer.status], [Opcode.scsiResponse, ScsiStatus.good]);
  },
  "ABORT TASK": async (initiator, rejected) => {
    const task = { referencedTaskTag: readUint32(rejected.header, 16), refCmdSn: cmdSnOf(rejected) };
    assertEquals(await initiator.taskManagement(TaskManagement.abortTask, task), 0);
  },
};

function cmdSnOf({ header }: RequestPdu): number {
  return readUint32(header, 24);
}

/** Has a request rejected, in its turn or sent before it, with one behind it, and then fills the gap. */
async function fillGap(
  session: BusySession,
  make: (fields: NumberedFields, session: BusySession) => RequestPdu,
  reason: number,
  options: { readonly isEarly: boolean; readonly fill: (typeof FILLED)[string] },
): Promise<void> {
  const { initiator, store } = session;
  const before = options.isEarly ? [nopOut(numbered(initiator))] : [];
  const rejected = make(numbered(initiator), session);
  const waiting = numbered(initiator);
  await initiator.send(rejected, scsiCommand({ ...waiting, ...TEST_UNIT_READY }), ...before);
  const answers = await drain(initiator);
  assertEquals(answers.map(({ opcode }) => opcode).toSorted(), [
    ...before.map(() => Opcode.nopIn),
    Opcode.reject,
  ]);
  const reject = answers.find(({ opcode }) => opcode === Opcode.reject)!;
  assertEquals([reject.response, reject.data], [reason, rejected.header]);
  assertEquals(initiator.expCmdSn, cmdSnOf(rejected), "its number is expected");
  store.releaseAll();
  await until(() => store.pending.length === 0, "the read is done");
  await settle();
  await drain(initiator);
  await options.fill(initiator, rejected);
  const behind = await initiator.receive();
  assertEquals([behind.initiatorTaskTag, behind.status], [waiting.initiatorTaskTag, ScsiStatus.good]);
  assertEquals((await initiator.command({ cdb: testUnitReady() })).status, ScsiStatus.good);
  assertEquals(initiator.expCmdSn, initiator.nextCmdSn);
}

for (const [how, reason, make] of REJECTED) {
  for (const [what, fill] of Object.entries(FILLED)) {
    Deno.test(`a request rejected for ${how} was not received (7.3): ${what} fills the gap`, async () => {
      for (const isEarly of [false, true]) {
        await withBusySession((session) => fillGap(session, make, reason, { isEarly, fill }));
      }
    });
  }
}

Deno.test("a function rejected as too many wait was not received (7.3): sent again, it takes its turn", () =>
  withBusySession(async ({ initiator, store }) => {
    const write = await initiator.begin({ cdb: write10(0, 1), write: pattern(512) });
    write.forget();
    await until(() => store.pending.length === 2, "the write is under way");
    const abort = { function: TaskManagement.abortTaskSet };
    for (let count = 0; count < Limits.immediateCommands; count++) {
      await initiator.send(taskManagementRequest({ ...numbered(initiator, true), ...abort }));
    }
    const pdu = taskManagementRequest({ ...toBeRejected(initiator), ...abort });
    await assertRejectedWith(initiator, RejectReason.immediateCommandReject, pdu);
    assertEquals(initiator.expCmdSn, initiator.nextCmdSn);
    store.releaseAll();
    for (let count = 0; count < Limits.immediateCommands; count++) {
      assertEquals((await initiator.receive()).opcode, Opcode.taskManagementResponse);
    }
    const again = numbered(initiator);
    const answer = await initiator.exchange(
      again.initiatorTaskTag,
      taskManagementRequest({ ...again, ...abort }),
    );
    assertEquals([answer.response, initiator.expCmdSn], [0, initiator.nextCmdSn]);
  }));

Deno.test("a request that is rejected before its turn does not stand in the way of a good one", () =>
  withSession(async (initiator, store) => {
    const first = initiator.takeCmdSn();
    const bad = textRequest({ ...toBeRejected(initiator), isFinal: true, isContinued: true });
    await assertRejectedWith(initiator, RejectReason.protocolError, bad);
    await initiator.send(...writeOf(initiator, { cmdSn: initiator.takeCmdSn(), data: pattern(512, 2) }));
    assertEquals(await drain(initiator), [], "it waits for the first");
    await initiator.send(...writeOf(initiator, { cmdSn: first, data: pattern(512, 1) }));
    const answers = await drain(initiator);
    assertEquals(answers.map(({ opcode }) => opcode), [Opcode.scsiResponse, Opcode.scsiResponse]);
    await assertSameBytes(contentOf(store, 0, 512), pattern(512, 2));
  }));

Deno.test("what comes with the number of a command that was aborted before it came is ignored, good or bad", () =>
  withSession(async (initiator, store) => {
    const first = initiator.takeCmdSn();
    const aborted = numbered(initiator);
    const task = { referencedTaskTag: aborted.initiatorTaskTag, refCmdSn: aborted.cmdSn };
    assertEquals(await initiator.taskManagement(TaskManagement.abortTask, task), 0);
    await initiator.send(textRequest({ ...aborted, isFinal: true, isContinued: true }));
    await initiator.send(...writeOf(initiator, { cmdSn: aborted.cmdSn, data: pattern(512) }));
    assertEquals(await drain(initiator), []);
    await initiator.send(nopOut({ ...numbered(initiator, true), isImmediate: false, cmdSn: first }));
    assertEquals((await drain(initiator)).map(({ opcode }) => opcode), [Opcode.nopIn]);
    assertEquals([store.writeCount, initiator.expCmdSn], [0, initiator.nextCmdSn]);
  }));

Deno.test("a bad copy of a command that is held does it no harm", () =>
  withSession(async (initiator) => {
    const first = initiator.takeCmdSn();
    const held = initiator.takeCmdSn();
    await initiator.send(...writeOf(initiator, { cmdSn: held, data: pattern(512, 2) }));
    const copy = { initiatorTaskTag: initiator.nextTaskTag(), cmdSn: held, expStatSn: initiator.expStatSn };
    await initiator.send(textRequest({ ...copy, isFinal: true, isContinued: true }));
    await drain(initiator);
    await initiator.send(...writeOf(initiator, { cmdSn: first, data: pattern(512, 1) }));
    const answers = await drain(initiator);
    assertEquals(answers.map(({ opcode }) => opcode), [Opcode.scsiResponse, Opcode.scsiResponse]);
  }));

Deno.test("immediate commands are carried out at once and use up no number", () =>
  withSession(async (initiator, store) => {
    const missing = initiator.takeCmdSn();
    await initiator.send(...writeOf(initiator, { cmdSn: initiator.takeCmdSn(), data: pattern(512, 1) }));
    const before = initiator.expCmdSn;
    const { status } = await initiator.command({
      cdb: write10(1, 1),
      write: pattern(512, 2),
      isImmediate: true,
    });
    assertEquals([status, store.writeCount, initiator.expCmdSn], [ScsiStatus.good, 1, before]);
    await initiator.send(...writeOf(initiator, { cmdSn: missing, data: pattern(512, 3) }));
    assertEquals((await drain(initiator)).length, 2);
    await assertSameBytes(contentOf(store, 0, 512), pattern(512, 1));
  }));

Deno.test("more immediate commands than there may be are rejected; the others go on", async () => {
  const store = new SlowStore(new MemoryStore({ sizeBytes: SIZE }));
  await withHarness({ targets: [{ stores: [store] }] }, async (harness) => {
    const initiator = await harness.logIn();
    const commands = [];
    for (let index = 0; index < Limits.immediateCommands; index++) {
      commands.push(
        await initiator.begin({ cdb: write10(index, 1), write: pattern(512), isImmediate: true }),
      );
    }
    const error = await assertRejects(
      () => initiator.command({ cdb: write10(0, 1), write: pattern(512), isImmediate: true }),
      Rejected,
    );
    assertEquals(error.reason, RejectReason.immediateCommandReject);
    store.releaseAll();
    for (const command of commands) assertEquals((await command.result()).status, ScsiStatus.good);
    const again = initiator.command({ cdb: write10(0, 1), write: pattern(512), isImmediate: true });
    await until(() => store.pending.length === 1, "there is room again");
    store.releaseAll();
    assertEquals((await again).status, ScsiStatus.good);
  });
});

Deno.test("what waits for an earlier command is bounded: beyond it the connection ends", () =>
  withHarness({}, async (harness) => {
    const { initiator, served } = harness.open();
    await initiator.login({ targetName: nameOf(), keys: { FirstBurstLength: "262144" } });
    initiator.takeCmdSn();
    const data = pattern(262_144);
    const sending = (async (): Promise<void> => {
      for (let count = 0; count < 20; count++) {
        await initiator.send(...writeOf(initiator, { cmdSn: initiator.takeCmdSn(), data }));
      }
    })().catch(() => "the connection is gone");
    assertEquals(await initiator.receiveEnd(), []);
    await served;
    assertEquals(await sending, "the connection is gone");
  }));

Deno.test("a ping is answered with its data and its LUN field, as far as the initiator takes it (11.18)", () =>
  withHarness({}, async (harness) => {
    const initiator = await harness.logIn({ keys: { MaxRecvDataSegmentLength: "1000" } });
    for (const length of [0, 1, 2, 3, 4, 999, 1000, 1001, 5000]) {
      const lun = Uint8Array.of(0x40, 7, 0, 0, 0, 0, 0, length & 0xff);
      const answer = await initiator.nop(pattern(length), lun);
      assertEquals([answer.targetTransferTag, answer.lun], [NO_TAG, lun]);
    }
  }));

Deno.test("a ping that asks for no answer gets none", () =>
  withSession(async (initiator) => {
    const request = { ...numbered(initiator, true), initiatorTaskTag: NO_TAG };
    await initiator.send(nopOut({ ...request, targetTransferTag: 5, data: pattern(100) }));
    assertEquals(await drain(initiator), []);
  }));

Deno.test("a text exchange takes a request and gives an answer in pieces", () =>
  withHarness(
    { targets: Array.from({ length: 50 }, (_, index) => ({ name: `t${index}` })) },
    async (harness) => {
      const initiator = harness.connect();
      await initiator.login({ keys: { MaxRecvDataSegmentLength: "512" } });
      const answer = await initiator.text([["SendTargets", "All"]], 5);
      assertEquals([answer.length, answer[0], answer[98]], [100, ["TargetName", nameOf("t0")], [
        "TargetName",
        nameOf("t49"),
      ]]);
    },
  ));

Deno.test("a text request without tag begins anew, whatever became of the exchange before (11.10.4)", () =>
  withDiscovery(async (initiator) => {
    const first = numbered(initiator);
    const text = encodeText([["SendTargets", "All"]]);
    const begun = await initiator.exchange(
      first.initiatorTaskTag,
      textRequest({ ...first, isFinal: false, isContinued: true, text: text.subarray(0, 4) }),
    );
    assertEquals([begun.isFinal, begun.isContinued, begun.data.length], [false, false, 0]);
    assertEquals((await initiator.sendTargets("All")).length, 1);
    const stale = textRequest({
      ...numbered(initiator),
      isFinal: true,
      targetTransferTag: begun.targetTransferTag,
    });
    await assertRejectedWith(initiator, RejectReason.protocolError, stale, drainByText);
  }));

Deno.test("a text request with tag 0 begins an exchange like one without tag, every time", () =>
  withHarness({}, async (harness) => {
    const initiator = harness.connect();
    await initiator.login({ targetName: undefined });
    const text = encodeText([["SendTargets", "All"]]);
    for (const isFinal of [true, false, true]) {
      const request = { ...numbered(initiator), isFinal, targetTransferTag: 0, text };
      const answer = await initiator.exchange(request.initiatorTaskTag, textRequest(request));
      assertEquals([answer.opcode, answer.isFinal, decodeText(answer.data).length], [
        Opcode.textResponse,
        isFinal,
        2,
      ]);
      assertEquals([NO_TAG, 0].includes(answer.targetTransferTag), isFinal);
    }
    const overlooked = harness.events.filter(({ message }) => message.includes("overlooked"));
    assertEquals(overlooked.map(({ level }) => level), ["debug"]);
  }));

Deno.test("text that cannot be is rejected, and the session goes on", () =>
  withDiscovery(async (initiator) => {
    const texts = [
      new TextEncoder().encode("nonsense\0"),
      Uint8Array.of(0x41, 0x3d, 0xff, 0),
      encodeText(Array.from({ length: Limits.textKeys + 1 }, (_, index) => [`K${index}`, ""] as const)),
      encodeText([["SendTargets", "All"], ["SendTargets", "All"]]),
      new Uint8Array(Limits.textBytes + 1).fill(0x41),
    ];
    for (const text of texts) {
      const pdu = textRequest({ ...toBeRejected(initiator), isFinal: true, text });
      await assertRejectedWith(initiator, RejectReason.protocolError, pdu, drainByText);
      assertEquals((await initiator.sendTargets("All")).length, 1);
      const again = { ...numbered(initiator), isFinal: true, text: encodeText([["SendTargets", "All"]]) };
      const answer = await initiator.exchange(again.initiatorTaskTag, textRequest(again));
      assertEquals([answer.opcode, decodeText(answer.data).length], [Opcode.textResponse, 2]);
    }
  }));

Deno.test("text without end is rejected at the limit", () =>
  withDiscovery(async (initiator) => {
    let targetTransferTag = NO_TAG;
    const text = new Uint8Array(8192).fill(0x41);
    for (let count = 0; count < 8; count++) {
      const request = numbered(initiator);
      const pdu = await initiator.exchange(
        request.initiatorTaskTag,
        textRequest({ ...request, isFinal: false, isContinued: true, targetTransferTag, text }),
      );
      targetTransferTag = pdu.targetTransferTag;
    }
    const last = textRequest({
      ...numbered(initiator),
      isFinal: false,
      isContinued: true,
      targetTransferTag,
      text,
    });
    await assertRejectedWith(initiator, RejectReason.protocolError, last, drainByText);
    assertEquals((await initiator.sendTargets("All")).length, 1);
  }));

Deno.test("MaxRecvDataSegmentLength may change in full-feature phase, and holds at once; other keys may not", () =>
  withSession(async (initiator) => {
    assertEquals(await initiator.text([["MaxRecvDataSegmentLength", "512"]]), []);
    await initiator.send(nopOut({ ...numbered(initiator, true), data: pattern(1000) }));
    assertEquals((await initiator.receive()).data.length, 512);
    const answer = await initiator.text([["MaxBurstLength", "512"], ["AuthMethod", "None"], ["X-a", "1"]]);
    assertEquals(answer, [["MaxBurstLength", "Reject"], ["AuthMethod", "Reject"], ["X-a", "NotUnderstood"]]);
  }));

Deno.test("MaxRecvDataSegmentLength holds when its exchange has ended, and not when that is abandoned (6.4)", () =>
  withSession(async (initiator) => {
    const declare = async (pairs: TextPairs, targetTransferTag = NO_TAG, isFinal = false): Promise<Pdu> => {
      const request = { ...numbered(initiator), isFinal, targetTransferTag, text: encodeText(pairs) };
      return await initiator.exchange(request.initiatorTaskTag, textRequest(request));
    };
    const echoed = async (): Promise<number> => {
      await initiator.send(nopOut({ ...numbered(initiator, true), data: pattern(1000) }));
      return (await initiator.receive()).data.length;
    };
    await declare([["MaxRecvDataSegmentLength", "512"]]);
    assertEquals(await echoed(), 1000);
    // Another exchange begins: the one before was abandoned.
    const { targetTransferTag } = await declare([["MaxRecvDataSegmentLength", "600"]]);
    await declare([], targetTransferTag, true);
    assertEquals(await echoed(), 600);
    const begun = await declare([["MaxRecvDataSegmentLength", "700"]]);
    const twice = textRequest({
      ...toBeRejected(initiator),
      isFinal: true,
      targetTransferTag: begun.targetTransferTag,
      text: encodeText([["MaxRecvDataSegmentLength", "800"]]),
    });
    await assertRejectedWith(initiator, RejectReason.protocolError, twice);
    // Nothing can be added to what was rejected.
    const more = { ...toBeRejected(initiator), isFinal: true, targetTransferTag: begun.targetTransferTag };
    await assertRejectedWith(initiator, RejectReason.protocolError, textRequest(more));
    assertEquals(await echoed(), 600);
    await declare([["MaxRecvDataSegmentLength", "800"]], NO_TAG, true);
    assertEquals(await echoed(), 800);
  }));

Deno.test("InitiatorAlias may be told at any time (13.7)", () =>
  withSession(async (initiator) => {
    assertEquals(await initiator.text([["InitiatorAlias", "\u732b"]]), []);
    assertEquals(await initiator.text([["InitiatorAlias", "another"], ["TargetAlias", "x"]]), [
      ["TargetAlias", "Reject"],
    ]);
  }));

Deno.test("text requests of an exchange are limited in keys, however many requests it has", () =>
  withSession(async (initiator) => {
    let targetTransferTag = NO_TAG;
    for (let count = 0; count < Limits.textKeys / 64; count++) {
      const pairs = Array.from({ length: 64 }, (_, index) => [`X-${count}.${index}`, ""] as const);
      const request = { ...numbered(initiator), isFinal: false, targetTransferTag, text: encodeText(pairs) };
      const pdu = await initiator.exchange(request.initiatorTaskTag, textRequest(request));
      targetTransferTag = pdu.targetTransferTag;
    }
    const text = encodeText([["X-one.more", ""]]);
    const last = textRequest({ ...numbered(initiator), isFinal: true, targetTransferTag, text });
    await assertRejectedWith(initiator, RejectReason.protocolError, last);
  }));

Deno.test("a text request with tag 0 in the middle of a text is rejected", () =>
  withDiscovery(async (initiator) => {
    const text = encodeText([["SendTargets", "All"]]);
    const first = { ...numbered(initiator), isFinal: false, isContinued: true, text: text.subarray(0, 4) };
    const { targetTransferTag } = await initiator.exchange(first.initiatorTaskTag, textRequest(first));
    const rest = { isFinal: true, text: text.subarray(4) };
    const stray = textRequest({ ...numbered(initiator, true), ...rest, targetTransferTag: 0 });
    await initiator.send(stray);
    const reject = await initiator.receive();
    assertEquals([reject.opcode, reject.response], [Opcode.reject, RejectReason.protocolError]);
    const last = { ...numbered(initiator), ...rest, targetTransferTag };
    const answer = await initiator.exchange(last.initiatorTaskTag, textRequest(last));
    assertEquals(decodeText(answer.data).length, 2, "the exchange goes on");
  }));

Deno.test("a text response that is not final carries a tag, and a final one none (11.11)", () =>
  withDiscovery(async (initiator) => {
    const request = numbered(initiator);
    const pdu = await initiator.exchange(
      request.initiatorTaskTag,
      textRequest({ ...request, isFinal: false, text: encodeText([["SendTargets", "All"]]) }),
    );
    assertEquals([pdu.isFinal, pdu.targetTransferTag === NO_TAG], [false, false]);
    assertEquals(decodeText(pdu.data).length, 2);
    const next = numbered(initiator);
    const { targetTransferTag } = pdu;
    const last = await initiator.exchange(
      next.initiatorTaskTag,
      textRequest({ ...next, isFinal: true, targetTransferTag }),
    );
    assertEquals([last.isFinal, last.targetTransferTag, last.data.length], [true, NO_TAG, 0]);
  }));

/** Text that asks for no targets. */
const OTHER_TEXT = [["MaxRecvDataSegmentLength", "4096"]] as const;

Deno.test("a discovery session takes text and its logout, and rejects all else (4.3)", () =>
  withDiscovery(async (initiator) => {
    const requests = [
      scsiCommand({ ...toBeRejected(initiator), ...TEST_UNIT_READY }),
      taskManagementRequest({ ...toBeRejected(initiator), function: TaskManagement.logicalUnitReset }),
      nopOut(toBeRejected(initiator)),
      logoutRequest({ ...toBeRejected(initiator), reason: LogoutReason.closeConnection }),
      textRequest({
        ...toBeRejected(initiator),
        isFinal: true,
        isContinued: false,
        text: encodeText(OTHER_TEXT),
      }),
    ];
    for (const pdu of requests) {
      await assertRejectedWith(initiator, RejectReason.protocolError, pdu, drainByText);
    }
    assertEquals((await initiator.sendTargets()).length, 1);
    const right = numbered(initiator);
    const logout = logoutRequest({ ...right, reason: LogoutReason.closeSession });
    assertEquals((await initiator.exchange(right.initiatorTaskTag, logout)).response, 0);
  }));

Deno.test("a logout for the session or for its connection ends both (11.14)", async () => {
  for (const reason of [LogoutReason.closeSession, LogoutReason.closeConnection]) {
    await withHarness({}, async (harness) => {
      const { initiator, served } = harness.open();
      await initiator.login({ targetName: nameOf() });
      assertEquals(await initiator.logout(reason), 0);
      await served;
      assert(harness.log.some((line) => line.includes("session ends")));
    });
  }
});

Deno.test("a logout that cannot be leaves the session as it is (11.15.1)", () =>
  withSession(async (initiator) => {
    assertEquals(await initiator.logout(LogoutReason.removeForRecovery), 2);
    const request = numbered(initiator);
    const other = logoutRequest({ ...request, reason: LogoutReason.closeConnection, connectionId: 9 });
    assertEquals((await initiator.exchange(request.initiatorTaskTag, other)).response, 1);
    await assertRejectedWith(
      initiator,
      RejectReason.invalidPduField,
      logoutRequest({ ...toBeRejected(initiator), reason: 3 }),
    );
    assertEquals((await initiator.command({ cdb: testUnitReady() })).status, ScsiStatus.good);
    await assertRejectedWith(
      initiator,
      RejectReason.invalidPduField,
      logoutRequest({ ...toBeRejected(initiator), reason: 3 }),
    );
    const right = numbered(initiator);
    const logout = logoutRequest({ ...right, reason: LogoutReason.closeSession });
    assertEquals((await initiator.exchange(right.initiatorTaskTag, logout)).response, 0);
  }));

Deno.test("a logout response says how long to wait, as was settled (11.15)", () =>
  withHarness({}, async (harness) => {
    const initiator = await harness.logIn({ keys: { DefaultTime2Wait: "7", DefaultTime2Retain: "20" } });
    const request = numbered(initiator);
    const pdu = await initiator.exchange(
      request.initiatorTaskTag,
      logoutRequest({ ...request, reason: LogoutReason.closeSession }),
    );
    assertEquals([pdu.response, pdu.time2Wait, pdu.time2Retain], [0, 7, 0]);
  }));

Deno.test("what comes behind a logout is not carried out", () =>
  withSession(async (initiator, store) => {
    const logout = logoutRequest({ ...numbered(initiator), reason: LogoutReason.closeSession });
    const [write] = writeOf(initiator, { cmdSn: initiator.takeCmdSn(), data: pattern(512) });
    await initiator.send(write!, logout, nopOut(numbered(initiator, true)));
    assertEquals((await initiator.receiveEnd()).map(({ opcode }) => opcode), [Opcode.logoutResponse]);
    assertEquals(store.writeCount, 0);
  }));

Deno.test("what is no request, or none here, is rejected, and the session goes on", () =>
  withSession(async (initiator, _store, harness) => {
    const unknown = new RequestPdu(0x1c, 0x80, pattern(10));
    unknown.header[0] = 0x5c;
    await assertRejectedWith(initiator, RejectReason.commandNotSupported, unknown);
    const snack = { type: 0, initiatorTaskTag: 1, expStatSn: initiator.expStatSn, begRun: 0, runLength: 0 };
    // Data and R2Ts, status, R-Data (11.16.1): none has a place at error recovery level 0.
    for (const [type, initiatorTaskTag] of [[0, 1], [1, NO_TAG], [3, 1]] as const) {
      const pdu = snackRequest({ ...snack, type, initiatorTaskTag });
      await assertRejectedWith(initiator, RejectReason.snackReject, pdu);
    }
    // DataACK: no Data-In has asked for it.
    const acknowledgement = { ...snack, type: 2, initiatorTaskTag: NO_TAG, targetTransferTag: 1, begRun: 1 };
    await assertRejectedWith(initiator, RejectReason.invalidDataAck, snackRequest(acknowledgement));
    assertEquals((await initiator.command({ cdb: testUnitReady() })).status, ScsiStatus.good);
    const before = harness.log.length;
    for (let count = 0; count < 1000; count++) await initiator.send(snackRequest(snack));
    await drain(initiator);
    assert(harness.log.length - before < 100, "the log is not flooded");
  }));

/** A SNACK about a task, of which the target is asked to send the first PDU of data again. */
function snackFor(initiator: Initiator, initiatorTaskTag: number, type: number): RequestPdu {
  return snackRequest({ type, initiatorTaskTag, expStatSn: initiator.expStatSn, begRun: 0, runLength: 1 });
}

/** The end of a command whose data was asked for again: SNACK Reject, then ABORTED COMMAND with 11/13. */
async function assertEndedBySnack(initiator: Initiator, initiatorTaskTag: number): Promise<Pdu> {
  const reject = await initiator.receive();
  assertEquals([reject.opcode, reject.response], [Opcode.reject, RejectReason.snackReject]);
  const pdu = await initiator.receive();
  assertEquals([pdu.opcode, pdu.initiatorTaskTag, pdu.status], [
    Opcode.scsiResponse,
    initiatorTaskTag,
    ScsiStatus.checkCondition,
  ]);
  const sense = senseOfResponse(pdu.data);
  assertEquals([sense?.key, sense?.code], [SenseKey.abortedCommand, 0x1113]);
  return pdu;
}

for (const type of [0, 3]) {
  Deno.test(`a SNACK of type ${type} ends a command whose data is on its way, in either direction (7.8)`, async () => {
    const store = new SlowStore(new MemoryStore({ sizeBytes: SIZE }));
    await withHarness({ targets: [{ stores: [store] }] }, async (harness) => {
      const initiator = await harness.logIn();
      const read = await initiator.begin({ cdb: read10(0, 8), read: 4096 });
      read.forget();
      await until(() => store.pending.length === 1, "the read is under way");
      await initiator.send(snackFor(initiator, read.initiatorTaskTag, type));
      const pdu = await assertEndedBySnack(initiator, read.initiatorTaskTag);
      assertEquals(pdu.residualCount, 4096);
      // Data that the medium delivers afterwards is dropped.
      store.releaseAll();
      await settle();
      assertEquals(await drain(initiator), []);
      const { tag } = await beginSolicited(initiator);
      await initiator.send(snackFor(initiator, tag, type));
      await assertEndedBySnack(initiator, tag);
      assertEquals((await initiator.command({ cdb: testUnitReady() })).status, ScsiStatus.good);
      const [unit] = harness.units.get("disk")!;
      assertEquals(unit!.ranges.isIdle, true);
    });
  });
}

Deno.test("a SNACK of data ends a command that waits for something else when that has come", async () => {
  const store = new SlowStore(new MemoryStore({ sizeBytes: SIZE }));
  await withHarness({ targets: [{ stores: [store] }] }, async (harness) => {
    const initiator = await harness.logIn();
    const flush = await initiator.begin({ cdb: synchronizeCache10() });
    flush.forget();
    await until(() => store.pending.length === 1, "the flush is under way");
    await initiator.send(snackFor(initiator, flush.initiatorTaskTag, 0));
    await settle();
    assertEquals((await initiator.receive()).opcode, Opcode.reject);
    assertEquals(await drain(initiator), []);
    store.releaseAll();
    const { status, data } = await initiator.receive();
    assertEquals([status, senseOfResponse(data)?.code], [ScsiStatus.checkCondition, 0x1113]);
  });
});

Deno.test("a SNACK of status, or about a task of another connection, ends no command", async () => {
  const store = new SlowStore(new MemoryStore({ sizeBytes: SIZE }));
  await withHarness({ targets: [{ stores: [store] }] }, async (harness) => {
    const { initiators: [initiator, other] } = await harness.logInSession(2);
    const read = await initiator!.begin({ cdb: read10(0, 8), read: 4096 });
    read.forget();
    await until(() => store.pending.length === 1, "the read is under way");
    await initiator!.send(snackFor(initiator!, read.initiatorTaskTag, 1));
    assertEquals((await initiator!.receive()).opcode, Opcode.reject);
    await other!.send(snackFor(other!, read.initiatorTaskTag, 0));
    assertEquals((await other!.receive()).opcode, Opcode.reject);
    store.releaseAll();
    const { opcode, isFinal, status, data } = await initiator!.receive();
    assertEquals([opcode, isFinal, status, data.length], [Opcode.dataIn, true, ScsiStatus.good, 4096]);
  });
});

Deno.test("a task tag in use is rejected, and its task is not disturbed", async () => {
  const store = new SlowStore(new MemoryStore({ sizeBytes: SIZE }));
  await withHarness({ targets: [{ stores: [store] }] }, async (harness) => {
    const initiator = await harness.logIn();
    const first = await initiator.begin({ cdb: read10(0, 1), read: 512 });
    await until(() => store.pending.length === 1, "the read is under way");
    const cmdSn = initiator.takeCmdSn();
    const [copy] = writeOf(initiator, { cmdSn, data: pattern(512), tag: first.initiatorTaskTag });
    first.forget();
    await initiator.send(copy!);
    assertEquals((await initiator.receive()).response, RejectReason.taskInProgress);
    store.releaseAll();
    const pdu = await initiator.receive();
    assertEquals([pdu.opcode, pdu.initiatorTaskTag], [Opcode.dataIn, first.initiatorTaskTag]);
    await settle();
    assertEquals(store.pending.length, 0);
  });
});

Deno.test("a Login Request in full-feature phase ends the connection", () =>
  withHarness({}, async (harness) => {
    const { initiator, served } = harness.open();
    await initiator.login({ targetName: nameOf() });
    await initiator.send(new RequestPdu(0x43, 0x87));
    assertEquals(await initiator.receiveEnd(), []);
    await served;
  }));

for (const [maxBytes, ahsBytes] of [["8192", 24], ["512", 24], ["512", 1012]] as const) {
  Deno.test(`a Reject has the header with its ${ahsBytes} additional bytes, up to ${maxBytes} (11.17.4)`, () =>
    withHarness({}, async (harness) => {
      const initiator = await harness.logIn({ keys: { MaxRecvDataSegmentLength: maxBytes } });
      const { tag: initiatorTaskTag } = await beginSolicited(initiator);
      // The tag is in use.
      const cdb = pattern(16 + ahsBytes - 4);
      const command = scsiCommand({ ...numbered(initiator), ...TEST_UNIT_READY, initiatorTaskTag, cdb });
      await initiator.send(command);
      const { opcode, response, data } = await initiator.receive();
      assertEquals([opcode, response], [Opcode.reject, RejectReason.taskInProgress]);
      const whole = command.encode();
      assertEquals(whole.length, 48 + ahsBytes);
      assertEquals(data, whole.subarray(0, Number(maxBytes)));
    }));
}
