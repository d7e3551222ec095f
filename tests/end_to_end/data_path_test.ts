/** Data on their way through every shape that a login can give to a transfer. */
import { assert, assertEquals } from "@std/assert";
import type { Initiator } from "../support/initiator.ts";
import { inquiry, read10, read16, testUnitReady, write10, write16 } from "../support/initiator_cdb.ts";
import { Attribute, TaskManagement } from "../support/initiator_request.ts";
import { SenseKey } from "../support/initiator_sense.ts";
import { Appliance } from "./appliance.ts";

const BLOCK_BYTES = 512;

/** Negotiated parameters, from the least to the most: each changes how data are divided. */
const SETTLEMENTS: readonly Readonly<Record<string, string>>[] = [
  {},
  { InitialR2T: "Yes", ImmediateData: "No", MaxOutstandingR2T: "1" },
  {
    InitialR2T: "Yes",
    ImmediateData: "Yes",
    MaxOutstandingR2T: "1",
    FirstBurstLength: "512",
    MaxBurstLength: "512",
  },
  { InitialR2T: "No", ImmediateData: "No", FirstBurstLength: "4096", MaxBurstLength: "16384" },
  { MaxRecvDataSegmentLength: "512", FirstBurstLength: "1024", MaxBurstLength: "4096" },
  { MaxRecvDataSegmentLength: "1000", FirstBurstLength: "1500", MaxBurstLength: "7777" },
  { MaxRecvDataSegmentLength: "16777215", FirstBurstLength: "16777215", MaxBurstLength: "16777215" },
];

/** Returns bytes whose values depend on their position. */
function pattern(length: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = (i >>> 9) * 31 + i + seed;
  return bytes;
}

/** `assertEquals` is slow on so many bytes. */
function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

/** Writes, reads back and compares, in one piece of every interesting length and many at once. */
async function exerciseData(initiator: Initiator, seed: number): Promise<void> {
  for (const blocks of [1, 2, 3, 8, 127, 128, 129, 600]) {
    const write = pattern(blocks * BLOCK_BYTES, seed + blocks);
    assertEquals((await initiator.command({ cdb: write10(7, blocks), lun: 1, write })).status, 0);
    const { data, residual } = await initiator.command({
      cdb: read16(7, blocks),
      lun: 1,
      read: write.length,
    });
    assertEquals([isSame(data, write), residual], [true, 0], `${blocks} blocks`);
  }
  const pieces = Array.from(
    { length: 40 },
    (_, i) => ({ lba: 1000 + i * 40, write: pattern(40 * 512, seed + i) }),
  );
  const writes = pieces.map(({ lba, write }) => initiator.command({ cdb: write16(lba, 40), lun: 1, write }));
  for (const { status } of await Promise.all(writes)) assertEquals(status, 0);
  const reads = pieces.map(({ lba, write }) =>
    initiator.command({ cdb: read10(lba, 40), lun: 1, read: write.length })
  );
  for (const [index, { data }] of (await Promise.all(reads)).entries()) {
    assert(isSame(data, pieces[index]!.write), `piece ${index} came back otherwise`);
  }
}

Deno.test("data come back as they went, whatever the login settled", async () => {
  using appliance = Appliance.create();
  await using _server = await appliance.serve();
  for (const [seed, keys] of SETTLEMENTS.entries()) {
    for (const hasSecurityStage of [true, false]) {
      await using initiator = await appliance.login({ keys, hasSecurityStage, pieceBytes: 300 });
      await initiator.command({ cdb: testUnitReady(), lun: 1 });
      await exerciseData(initiator, seed).catch((error) => {
        throw new Error(`With ${JSON.stringify(keys)}: ${error}`, { cause: error });
      });
      assertEquals(await initiator.logout(), 0);
      assertEquals(await initiator.receiveEnd(), []);
    }
  }
});

Deno.test("what an initiator expects and what a command has need not be the same", async () => {
  using appliance = Appliance.create();
  await using _server = await appliance.serve();
  await using initiator = await appliance.login();
  await initiator.command({ cdb: testUnitReady(), lun: 1 });
  const written = pattern(4 * BLOCK_BYTES, 1);
  assertEquals((await initiator.command({ cdb: write10(0, 4), lun: 1, write: written })).residual, 0);
  for (
    const [expected, residual] of [[4 * 512, 0], [3 * 512, 512], [100, 1948], [5 * 512, -512], [
      0,
      2048,
    ]] as const
  ) {
    const result = await initiator.command({ cdb: read10(0, 4), lun: 1, read: expected });
    assertEquals([result.status, result.residual], [0, residual], `${expected} expected`);
    assertEquals(result.data, written.subarray(0, Math.min(expected, written.length)));
  }
  const short = await initiator.command({ cdb: inquiry(5), lun: 1, read: 96 });
  assertEquals([short.data.length, short.residual], [5, -91]);
  for (const [blocks, residual] of [[2, -1024], [4, 0], [6, 1024]] as const) {
    const result = await initiator.command({ cdb: write10(100, blocks), lun: 1, write: written });
    assertEquals(result.residual, residual, `${blocks} blocks`);
  }
  const refused = await initiator.command({ cdb: read10(0xfffffff0, 1), lun: 1, read: 512 });
  assertEquals([refused.status, refused.sense?.key, refused.sense?.code], [
    2,
    SenseKey.illegalRequest,
    0x2100,
  ]);
  assertEquals(refused.residual, -512);
  const refusedWrite = await initiator.command({ cdb: write10(0xfffffff0, 4), lun: 1, write: written });
  assertEquals([refusedWrite.status, refusedWrite.sense?.code], [2, 0x2100]);
});

/** Longest that commands may take that compete with many others. */
const FLOW_LIMIT_MS = 30_000;

/** Sends requests that must be answered during any other work. */
async function exerciseControl(initiator: Initiator): Promise<void> {
  for (const attribute of [Attribute.untagged, Attribute.simple, Attribute.ordered, Attribute.headOfQueue]) {
    for (const isImmediate of [false, true]) {
      const command = { cdb: testUnitReady(), lun: 1, attribute, isImmediate };
      assertEquals((await initiator.command(command, FLOW_LIMIT_MS)).status, 0);
    }
    for (const length of [0, 1, 4, 4096]) {
      assertEquals((await initiator.nop(pattern(length, attribute))).data.length, length);
    }
  }
}

Deno.test("pings, immediate commands and every task attribute are answered while data flow", async () => {
  using appliance = Appliance.create();
  await using _server = await appliance.serve();
  await using initiator = await appliance.login({ firstCmdSn: 0xfffffff0 });
  await initiator.command({ cdb: testUnitReady(), lun: 1 });
  const write = pattern(256 * BLOCK_BYTES, 5);
  const flow = Array.from({ length: 60 }, (_, i) => [
    initiator.command({ cdb: write10(i * 256, 256), lun: 1, write }, FLOW_LIMIT_MS),
    initiator.command({ cdb: read10(i * 256, 256), lun: 1, read: write.length }, FLOW_LIMIT_MS),
  ]).flat();
  const [results] = await Promise.all([Promise.all(flow), exerciseControl(initiator)]);
  for (const { status } of results) assertEquals(status, 0);
});

Deno.test("a reset ends what waits for data, and the session goes on", async () => {
  using appliance = Appliance.create();
  await using _server = await appliance.serve();
  await using initiator = await appliance.login({ answersPings: false });
  await initiator.command({ cdb: testUnitReady(), lun: 1 });
  const before = pattern(BLOCK_BYTES, 9);
  await initiator.command({ cdb: write10(500, 1), lun: 1, write: before });
  for (
    const [taskManagementFunction, name] of [
      [TaskManagement.abortTask, "ABORT TASK"],
      [TaskManagement.logicalUnitReset, "LOGICAL UNIT RESET"],
    ] as const
  ) {
    // The target asks for data, and our side has none to send.
    const waiting = await initiator.begin({
      cdb: write10(500, 128),
      lun: 1,
      write: new Uint8Array(0),
      expectedLength: 65536,
    });
    waiting.forget();
    await initiator.receive();
    const response = await initiator.taskManagement(taskManagementFunction, {
      lun: 1,
      referencedTaskTag: waiting.initiatorTaskTag,
      refCmdSn: waiting.cmdSn,
    });
    assertEquals(response, 0, name);
    const afterwards = await initiator.command({ cdb: testUnitReady(), lun: 1 });
    if (afterwards.status !== 0) assertEquals(afterwards.sense?.key, SenseKey.unitAttention, name);
    const { data } = await initiator.command({ cdb: read10(500, 1), lun: 1, read: BLOCK_BYTES });
    assertEquals(data, before, name);
  }
});
