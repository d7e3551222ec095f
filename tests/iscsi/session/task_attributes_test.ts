/** Task attributes (RFC 7143, 11.3.1; SAM-5, 8) over the wire: order, and the data of commands that wait for it. */
import { assertEquals } from "@std/assert";
import { COLLECTED_BYTES_MAX } from "../../../lib/scsi/medium/atomic_limits.ts";
import type { Initiator, PendingCommand } from "../../support/initiator.ts";
import { compareAndWrite, read10, testUnitReady, write10 } from "../../support/initiator_cdb.ts";
import { NO_TAG, Opcode } from "../../support/initiator_pdu.ts";
import { Attribute, dataOut, scsiCommand, snackRequest } from "../../support/initiator_request.ts";
import { ScsiStatus, senseOfResponse } from "../../support/initiator_sense.ts";
import { MemoryStore } from "../../support/memory_store.ts";
import { SlowStore } from "../../support/slow_store.ts";
import { type Harness, withHarness } from "../../support/harness.ts";
import { until } from "../../support/until.ts";
import { assertSameBytes, contentOf, pattern } from "../../support/content.ts";
import { beginSolicited, drain, numbered, sendSolicited } from "../../support/exchanges.ts";

const SIZE = 32 * 1024 * 1024;
const TASK_SET_FULL = 0x28;
const ABORT_TASK = 1;
const { ordered, headOfQueue, aca } = Attribute;
const UNSOLICITED = { InitialR2T: "No", ImmediateData: "Yes", FirstBurstLength: "262144" };

const OTHER = { initiatorName: "iqn.2011-07.com.example:other" };

interface Bench {
  readonly harness: Harness;
  readonly initiator: Initiator;
  readonly memory: MemoryStore;
  readonly slow: SlowStore;
  /** Has a WRITE begin that stays under way until the store is released. */
  occupy(): Promise<PendingCommand>;
  /** Lets the medium do what it is asked for, until what is waited for has come. */
  release<T>(awaited: Promise<T>): Promise<T>;
}

/** Runs a test with a session at a slow medium. */
function withSlowMedium(
  test: (bench: Bench) => Promise<void>,
  keys: Readonly<Record<string, string>> = {},
): Promise<void> {
  const memory = new MemoryStore({ sizeBytes: SIZE });
  const slow = new SlowStore(memory);
  return withHarness({ targets: [{ stores: [slow] }] }, async (harness) => {
    const initiator = await harness.logIn({ keys });
    await test({
      harness,
      initiator,
      memory,
      slow,
      occupy: async () => {
        const before = slow.pending.length;
        const command = await initiator.begin({ cdb: write10(0, 8), write: pattern(4096) });
        await until(() => slow.pending.length > before, "the write is under way");
        return command;
      },
      release: async (awaited) => {
        let isOver = false;
        awaited.finally(() => isOver = true).catch(() => {});
        await until(() => {
          slow.releaseAll();
          return isOver;
        }, "the commands have ended");
        return await awaited;
      },
    });
  });
}

Deno.test("a READ with ORDERED sends what an older WRITE to the same blocks has written", () =>
  withSlowMedium(async ({ initiator, slow, occupy }) => {
    const write = await occupy();
    const read = await initiator.begin({ cdb: read10(0, 8), read: 4096, attribute: ordered });
    const head = await initiator.begin({ cdb: read10(64, 8), read: 4096, attribute: headOfQueue });
    await until(() => slow.pending.length === 2, "HEAD OF QUEUE overtakes");
    assertEquals(slow.pending.map(({ operation, offset }) => [operation, offset]), [["write", 0], [
      "read",
      32768,
    ]]);
    slow.releaseAll();
    assertEquals([(await write.result()).status, (await head.result()).status], [
      ScsiStatus.good,
      ScsiStatus.good,
    ]);
    await until(() => slow.pending.length === 1, "ORDERED has its turn");
    slow.releaseAll();
    assertEquals((await read.result()).data, pattern(4096));
  }));

Deno.test("a READ with immediate data reads, whether it waits for its turn or not", () =>
  withHarness({}, async (harness) => {
    const [writer, reader] = [await harness.logIn(), await harness.logIn(OTHER)];
    const write = await beginSolicited(writer);
    const answers: unknown[] = [];
    for (const attribute of [headOfQueue, ordered]) {
      const fields = { isFinal: true, reads: true, writes: false, lun: 0, expectedLength: 4096, attribute };
      await reader.send(
        scsiCommand({ ...numbered(reader), ...fields, cdb: read10(8, 8), data: pattern(512) }),
      );
      if (attribute === ordered) {
        assertEquals(await drain(reader), [], "it waits");
        await sendSolicited(writer, write);
      }
      const { opcode, header, data } = await reader.receive();
      answers.push([opcode, header[1], data]);
    }
    assertEquals(answers[1], answers[0]);
  }));

Deno.test("ORDERED waits for a WRITE whose data has not come, of whatever session", () =>
  withHarness({}, async (harness) => {
    const [writer, reader] = [await harness.logIn(), await harness.logIn(OTHER)];
    const write = await beginSolicited(writer);
    const read = await reader.begin({ cdb: read10(0, 8), read: 4096, attribute: ordered });
    const poll = await reader.begin({ cdb: testUnitReady() });
    assertEquals(await drain(reader), [], "neither is answered");
    await sendSolicited(writer, write);
    assertEquals((await writer.receive()).opcode, Opcode.scsiResponse);
    assertEquals((await read.result()).data, pattern(4096));
    assertEquals((await poll.result()).status, ScsiStatus.good);
  }));

Deno.test("ORDERED goes on when what it waits for is aborted, or its session is gone", () =>
  withHarness({}, async (harness) => {
    for (const ending of ["aborted", "gone"] as const) {
      const [writer, reader] = [await harness.logIn(), await harness.logIn(OTHER)];
      const { tag: referencedTaskTag } = await beginSolicited(writer);
      const read = await reader.begin({ cdb: read10(0, 8), read: 4096, attribute: ordered });
      assertEquals(await drain(reader), []);
      if (ending === "gone") await writer.close();
      else assertEquals(await writer.taskManagement(ABORT_TASK, { referencedTaskTag }), 0);
      assertEquals((await read.result()).status, ScsiStatus.good);
    }
  }));

for (const ImmediateData of ["Yes", "No"]) {
  for (const InitialR2T of ["Yes", "No"]) {
    const keys = { ImmediateData, InitialR2T, FirstBurstLength: "1536", MaxBurstLength: "4096" };
    Deno.test(`a WRITE that waits for its turn keeps what comes unasked, with ${JSON.stringify(keys)}`, () =>
      withSlowMedium(async ({ initiator, memory, occupy, release }) => {
        for (const blocks of [1, 3, 8, 25]) {
          const first = await occupy();
          const data = pattern(blocks * 512, blocks);
          const write = await initiator.begin({ cdb: write10(100, blocks), write: data, attribute: ordered });
          const swap = await initiator.begin({
            cdb: compareAndWrite(100, 1),
            write: Uint8Array.of(...data.subarray(0, 512), ...pattern(512, 77)),
          });
          const read = await initiator.begin({
            cdb: read10(100, blocks),
            read: data.length,
            attribute: ordered,
          });
          const results = await release(Promise.all([first, write, swap, read].map((each) => each.result())));
          for (const { status } of results) assertEquals(status, ScsiStatus.good);
          data.set(pattern(512, 77));
          await assertSameBytes(results[3]!.data, data, `${blocks} blocks`);
          await assertSameBytes(
            contentOf(memory, 51200, data.length),
            data,
            `${blocks} blocks on the medium`,
          );
        }
      }, keys));
  }
}

Deno.test("a command that would wait with more data than there is room for ends with TASK SET FULL", () =>
  withSlowMedium(async ({ harness, initiator, memory, occupy, release }) => {
    const room = COLLECTED_BYTES_MAX / 262_144;
    for (let round = 0; round < 2; round++) {
      const first = await occupy();
      const data = pattern(262_144, round);
      const waiting = [];
      for (let index = 0; index < room; index++) {
        waiting.push(
          await initiator.begin({ cdb: write10(512 * index, 512), write: data, attribute: ordered }),
        );
      }
      for (const isImmediateOnly of [true, false]) {
        const write = isImmediateOnly ? data.subarray(0, 4096) : data;
        const cdb = write10(0, write.length / 512);
        assertEquals((await initiator.command({ cdb, write })).status, TASK_SET_FULL);
      }
      const solicited = await initiator.begin({
        cdb: write10(512 * room, 8),
        write: data.subarray(0, 4096),
        immediateDataBytes: 0,
        unsolicitedBytes: 0,
      });
      const results = release(Promise.all([first, ...waiting, solicited].map((each) => each.result())));
      for (const { status } of await results) assertEquals(status, ScsiStatus.good);
      await assertSameBytes(contentOf(memory, 262_144 * (room - 1), 262_144), data, `round ${round}`);
      assertEquals(harness.node.holdings.works, 0);
    }
  }, UNSOLICITED));

Deno.test("a WRITE that is aborted while it waits is not written, and gives back the room of its data", () =>
  withSlowMedium(async ({ initiator, memory, occupy, release }) => {
    const first = await occupy();
    const aborted: Promise<number>[] = [];
    const room = 8;
    const others: PendingCommand[] = [];
    while (others.length < COLLECTED_BYTES_MAX / 262_144 - room) {
      const write = pattern(262_144, 6);
      others.push(await initiator.begin({ cdb: write10(2048, 512), write, attribute: ordered }));
    }
    for (let index = 0; index < 2 * room + 2; index++) {
      const request = numbered(initiator);
      const data = pattern(262_144, 5);
      // Every other one has sent all its unsolicited data before it is aborted.
      const isFinal = index % 2 === 0;
      await initiator.send(scsiCommand({
        ...request,
        isFinal,
        reads: false,
        writes: true,
        attribute: ordered,
        lun: 0,
        expectedLength: data.length,
        cdb: write10(1024, 512),
        data: isFinal ? data : data.subarray(0, 512),
      }));
      // The response waits for everything that is under way at the unit.
      aborted.push(initiator.taskManagement(ABORT_TASK, { referencedTaskTag: request.initiatorTaskTag }));
    }
    const read = await initiator.begin({ cdb: read10(1024, 8), read: 4096, attribute: ordered });
    for (const response of await release(Promise.all(aborted))) assertEquals(response, 0);
    const results = await release(Promise.all([first, ...others, read].map((each) => each.result())));
    for (const { status } of results) assertEquals(status, ScsiStatus.good);
    assertEquals(contentOf(memory, 512 * 1024, 4096), new Uint8Array(4096));
  }, UNSOLICITED));

Deno.test("a WRITE that waits and whose unsolicited data is wrong fails at once, and holds up nobody", () =>
  withSlowMedium(async ({ initiator, occupy, release }) => {
    const first = await occupy();
    const request = numbered(initiator);
    const command = { reads: false, writes: true, lun: 0, expectedLength: 4096, cdb: write10(8, 8) };
    await initiator.send(scsiCommand({ ...request, ...command, isFinal: false, attribute: ordered }));
    await initiator.send(dataOut({
      ...request,
      isFinal: true,
      lun: 0,
      targetTransferTag: NO_TAG,
      dataSn: 3,
      bufferOffset: 0,
      data: pattern(4096),
    }));
    const response = await initiator.receive();
    assertEquals([response.opcode, response.initiatorTaskTag], [
      Opcode.scsiResponse,
      request.initiatorTaskTag,
    ]);
    assertEquals(senseOfResponse(response.data)?.code, 0x4705);
    const poll = await initiator.begin({ cdb: testUnitReady() });
    assertEquals(
      (await poll.result()).status,
      ScsiStatus.good,
      "nothing keeps a SIMPLE command waiting any more",
    );
    assertEquals((await release(first.result())).status, ScsiStatus.good);
  }, UNSOLICITED));

/** Asks for data of a command again, which ends it: the answer is a SNACK Reject. */
async function snack(initiator: Initiator, initiatorTaskTag: number): Promise<void> {
  const { expStatSn } = initiator;
  await initiator.send(snackRequest({ type: 0, initiatorTaskTag, expStatSn, begRun: 0, runLength: 1 }));
  assertEquals((await initiator.receive()).opcode, Opcode.reject);
}

Deno.test("a WRITE that waits and whose data is asked for again ends in its turn, and is not written", () =>
  withSlowMedium(async ({ harness, initiator, memory, occupy, release }) => {
    const { collected } = [...harness.node.sessions()][0]!.nexus!;
    const first = await occupy();
    const request = numbered(initiator);
    const command = { reads: false, writes: true, lun: 0, expectedLength: 4096, cdb: write10(1024, 8) };
    await initiator.send(scsiCommand({
      ...request,
      ...command,
      isFinal: true,
      attribute: ordered,
      data: pattern(4096),
    }));
    await snack(initiator, request.initiatorTaskTag);
    assertEquals(await drain(initiator), []);
    assertEquals(collected.take(COLLECTED_BYTES_MAX), false);
    assertEquals((await release(first.result())).status, ScsiStatus.good);
    const response = await initiator.receive();
    assertEquals([response.initiatorTaskTag, senseOfResponse(response.data)?.code], [
      request.initiatorTaskTag,
      0x1113,
    ]);
    assertEquals(contentOf(memory, 512 * 1024, 4096), new Uint8Array(4096));
    assertEquals(collected.take(COLLECTED_BYTES_MAX), true);
  }));

Deno.test("ORDERED waits for what goes on of a command that is aborted", () =>
  withSlowMedium(async ({ harness, initiator, slow, occupy, release }) => {
    const other = await harness.logIn(OTHER);
    const write = await occupy();
    write.forget();
    const read = await other.begin({ cdb: read10(0, 8), read: 4096, attribute: ordered });
    const { initiatorTaskTag: referencedTaskTag } = write;
    const aborted = initiator.taskManagement(ABORT_TASK, { referencedTaskTag });
    await drain(other);
    assertEquals(slow.pending.map(({ operation }) => operation), ["write"]);
    assertEquals(await release(aborted), 0);
    assertEquals((await release(read.result())).data, pattern(4096));
  }));

Deno.test("ORDERED waits for what goes on of a command that is given up", () =>
  withSlowMedium(async ({ initiator, slow, memory, release }) => {
    memory.writeNow(0, pattern(4096));
    // Its unsolicited data does not come, and would mean nothing.
    const request = numbered(initiator);
    const writeSame = Uint8Array.of(0x93, 0x01, ...new Uint8Array(11), 8, 0, 0);
    const command = { reads: false, writes: true, lun: 0, expectedLength: 4096, cdb: writeSame };
    await initiator.send(scsiCommand({ ...request, ...command, isFinal: false }));
    await until(() => slow.pending.length === 1, "zeros are being written");
    await snack(initiator, request.initiatorTaskTag);
    assertEquals((await initiator.receive()).opcode, Opcode.scsiResponse);
    const read = await initiator.begin({ cdb: read10(0, 8), read: 4096, attribute: ordered });
    assertEquals(await drain(initiator), []);
    assertEquals(slow.pending.map(({ operation }) => operation), ["write"]);
    assertEquals((await release(read.result())).data, new Uint8Array(4096));
  }, UNSOLICITED));

Deno.test("a WRITE that is refused in its turn has moved nothing of its data", () =>
  withSlowMedium(async ({ initiator, occupy, release }) => {
    const first = await occupy();
    const cdb = write10(SIZE / 512, 8);
    const write = await initiator.begin({ cdb, write: pattern(4096), attribute: ordered });
    await release(first.result());
    const { sense, residual } = await write.result();
    assertEquals([sense?.code, residual], [0x2100, -4096]);
  }));

Deno.test("what a WRITE kept while it waited does not count once a fast medium has taken it", () =>
  withHarness({}, async (harness) => {
    const initiator = await harness.logIn();
    const { collected } = [...harness.node.sessions()][0]!.nexus!;
    const solicited = await initiator.begin({
      cdb: write10(0, 8),
      write: pattern(4096),
      immediateDataBytes: 0,
      unsolicitedBytes: 0,
    });
    const write = await initiator.begin({ cdb: write10(64, 8), write: pattern(4096), attribute: ordered });
    for (const command of [solicited, write]) assertEquals((await command.result()).status, ScsiStatus.good);
    assertEquals(collected.take(COLLECTED_BYTES_MAX), true);
  }));

Deno.test("what a WRITE kept while it waited counts until it is written", () =>
  withSlowMedium(async ({ harness, initiator, slow, occupy, release }) => {
    const { collected } = [...harness.node.sessions()][0]!.nexus!;
    const first = await occupy();
    const write = await initiator.begin({ cdb: write10(64, 8), write: pattern(4096), attribute: ordered });
    slow.releaseAll();
    await first.result();
    await until(() => slow.pending.length === 1, "the write is under way");
    assertEquals(collected.take(COLLECTED_BYTES_MAX), false);
    assertEquals((await release(write.result())).status, ScsiStatus.good);
    assertEquals(collected.take(COLLECTED_BYTES_MAX), true);
  }));

Deno.test("a WRITE in a PDU that expects data is refused in its turn", () =>
  withSlowMedium(async ({ initiator, occupy, release }) => {
    const first = await occupy();
    const write = await initiator.begin({ cdb: write10(8, 8), read: 4096, attribute: ordered });
    await release(first.result());
    assertEquals((await write.result()).sense?.code, 0x0e03);
  }));

Deno.test("a COMPARE AND WRITE that is refused for its PDU gives back the room of its data", () =>
  withHarness({}, async (harness) => {
    const initiator = await harness.logIn();
    const { collected } = [...harness.node.sessions()][0]!.nexus!;
    const cdb = compareAndWrite(8, 1);
    for (const [data, code] of [[{ read: 1024 }, 0x0e03], [{ write: pattern(512) }, 0x2400]] as const) {
      assertEquals((await initiator.command({ cdb, ...data })).sense?.code, code);
      assertEquals(collected.take(COLLECTED_BYTES_MAX), true, "nothing is taken");
      collected.giveBack(COLLECTED_BYTES_MAX);
    }
  }));

Deno.test("commands that wait end with their session, and leave nothing behind", () =>
  withSlowMedium(async ({ harness, initiator, memory, occupy, release }) => {
    const other = await harness.logIn(OTHER);
    await occupy();
    const theirs = await other.begin({ cdb: read10(0, 8), read: 4096, attribute: ordered });
    for (let index = 0; index < 20; index++) {
      await initiator.begin({ cdb: write10(1024, 8), write: pattern(4096), attribute: ordered });
    }
    await initiator.close();
    await until(() => harness.node.snapshot().sessions.length === 1, "the session has ended");
    assertEquals((await release(theirs.result())).status, ScsiStatus.good);
    assertEquals(contentOf(memory, 512 * 1024, 4096), new Uint8Array(4096));
    assertEquals((await other.command({ cdb: testUnitReady(), attribute: ordered })).status, ScsiStatus.good);
  }));

Deno.test("ACA is refused with INVALID MESSAGE ERROR, whatever data comes with the command", () =>
  withHarness({}, async (harness) => {
    const initiator = await harness.logIn({ keys: UNSOLICITED });
    for (
      const command of [{ cdb: read10(0, 8), read: 4096 }, { cdb: write10(0, 512), write: pattern(262_144) }]
    ) {
      const { sense } = await initiator.command({ ...command, attribute: aca });
      assertEquals([sense?.key, sense?.code], [0x5, 0x4900]);
    }
    assertEquals((await initiator.command({ cdb: testUnitReady() })).status, ScsiStatus.good);
  }));
