/**
 * Task management functions and writes over two connections whose PDUs arrive in random orders (RFC 7143, 4.2.2.1 and
 * 11.5.1): a write ends with a status, unless a function ends it that was sent after it.
 */
import { assert, assertEquals } from "@std/assert";
import { serialDistance } from "../../../lib/bytes/serial_number.ts";
import { Limits } from "../../../lib/iscsi/limits.ts";
import type { Initiator } from "../../support/initiator.ts";
import { write10 } from "../../support/initiator_cdb.ts";
import { NO_TAG, Opcode, type Pdu } from "../../support/initiator_pdu.ts";
import {
  dataOut,
  type RequestPdu,
  scsiCommand,
  TaskManagement,
  taskManagementRequest,
} from "../../support/initiator_request.ts";
import { ScsiStatus } from "../../support/initiator_sense.ts";
import { MemoryStore } from "../../support/memory_store.ts";
import { SlowStore } from "../../support/slow_store.ts";
import { type Harness, withHarness } from "../../support/harness.ts";
import { settle } from "../../support/until.ts";
import { contentOf, pattern } from "../../support/content.ts";
import { drain } from "../../support/exchanges.ts";
import { numberFromEnvironment, Random } from "../../support/seeded_random.ts";

const SIZE = 1024 * 1024;
const SENT_COUNT = 14;

/** Responses (11.6.1). */
const Response = { functionComplete: 0, taskDoesNotExist: 1, taskStillAllegiant: 3 } as const;

/** A request, in the order in which the initiator sends them over both connections. */
interface Sent {
  readonly order: number;
  readonly connection: number;
  readonly tag: number;
  readonly cmdSn: number;
  readonly isImmediate: boolean;
  readonly lun: number;
  readonly pdu: RequestPdu;
  /** Undefined for a write. */
  readonly fn: number | undefined;
  /** The write that an ABORT TASK is for. */
  readonly referenced: Sent | undefined;
}

interface Round {
  readonly random: Random;
  readonly harness: Harness;
  readonly stores: readonly SlowStore[];
  readonly initiators: readonly Initiator[];
}

/** Makes the requests of a round. Each write has blocks of its own; its data is immediate, or asked for by an R2T. */
function makeRequests({ random, initiators }: Round): Sent[] {
  const all: Sent[] = [];
  for (let order = 0; order < SENT_COUNT; order++) {
    const connection = random.below(2);
    const initiator = initiators[connection]!;
    const isImmediate = random.oneIn(2);
    const fn = random.oneIn(3) ? random.pick(FUNCTIONS) : undefined;
    const isAbort = fn === TaskManagement.abortTask;
    const writes = all.filter((sent) => sent.connection === connection && sent.fn === undefined);
    const referenced = isAbort && writes.length > 0 ? random.pick(writes) : undefined;
    if (isAbort && referenced === undefined) continue;
    const lun = referenced?.lun ?? random.below(2);
    const cmdSn = isImmediate || isAbort ? initiator.nextCmdSn : initiator.takeCmdSn();
    const numbers = {
      initiatorTaskTag: initiator.nextTaskTag(),
      cmdSn,
      expStatSn: initiator.expStatSn,
      isImmediate: isImmediate || isAbort,
      lun,
    };
    const pdu = fn === undefined ? writePdu(numbers, order, random.oneIn(3)) : taskManagementRequest({
      ...numbers,
      function: fn,
      referencedTaskTag: referenced?.tag ?? NO_TAG,
      // 11.5.5: a task of an immediate command is referenced by the number of the function.
      refCmdSn: referenced?.isImmediate === false ? referenced.cmdSn : cmdSn,
    });
    all.push({
      order,
      connection,
      tag: numbers.initiatorTaskTag,
      cmdSn,
      isImmediate: numbers.isImmediate,
      lun,
      pdu,
      fn,
      referenced,
    });
  }
  return all;
}

/** The functions of a round. Resets are few, because they excuse every write that has no status. */
const FUNCTIONS = [
  TaskManagement.abortTask,
  ...Array<number>(4).fill(TaskManagement.abortTaskSet),
  ...Array<number>(4).fill(TaskManagement.clearTaskSet),
  TaskManagement.logicalUnitReset,
  TaskManagement.targetWarmReset,
];

/** Functions that may end tasks that were sent after them (11.5.1). */
const RESETS: readonly number[] = [TaskManagement.logicalUnitReset, TaskManagement.targetWarmReset];

function writePdu(
  numbers: {
    initiatorTaskTag: number;
    cmdSn: number;
    expStatSn: number;
    isImmediate: boolean;
    lun: number;
  },
  block: number,
  isSolicited: boolean,
): RequestPdu {
  const operation = { isFinal: true, reads: false, writes: true, expectedLength: 512 };
  const data = isSolicited ? new Uint8Array() : dataOf(block);
  return scsiCommand({ ...numbers, ...operation, cdb: write10(block, 1), data });
}

/** The content of a block after its write. */
function dataOf(block: number): Uint8Array {
  return pattern(512, block + 1);
}

/** Sends the data that R2Ts ask for. */
async function answerR2ts(initiator: Initiator, pdus: readonly Pdu[], sent: readonly Sent[]): Promise<void> {
  for (const { opcode, initiatorTaskTag, targetTransferTag } of pdus) {
    if (opcode !== Opcode.readyToTransfer) continue;
    const write = sent.find(({ tag }) => tag === initiatorTaskTag)!;
    await initiator.send(dataOut({
      isFinal: true,
      lun: write.lun,
      initiatorTaskTag,
      targetTransferTag,
      expStatSn: initiator.expStatSn,
      dataSn: 0,
      bufferOffset: 0,
      data: dataOf(write.order),
    }));
  }
}

/** Sends each connection's requests in their order, and both connections' in any; media finish when they like. */
async function deliver({ random, stores, initiators }: Round, sent: readonly Sent[]): Promise<void> {
  const queues = [0, 1].map((connection) => sent.filter((request) => request.connection === connection));
  while (queues.some((queue) => queue.length > 0)) {
    const next = random.pick(queues.filter((queue) => queue.length > 0)).shift()!;
    await initiators[next.connection]!.send(next.pdu);
    if (random.oneIn(2)) await settle();
    const { pending } = stores[next.lun]!;
    if (random.oneIn(4) && pending.length > 0) stores[next.lun]!.release(random.below(pending.length));
  }
}

/** A response, and when it arrived. */
interface Received {
  readonly pdu: Pdu;
  readonly connection: number;
  readonly turn: number;
}

/** Lets media and waits end, and returns the responses. */
async function collect(round: Round, sent: readonly Sent[]): Promise<Received[]> {
  const { random, harness, stores, initiators } = round;
  const received: Received[] = [];
  for (let turn = 0; turn < 12; turn++) {
    for (const store of stores) if (turn > 5 || random.oneIn(2)) store.releaseAll();
    await settle();
    for (const [connection, initiator] of initiators.entries()) {
      const pdus = await drain(initiator);
      await answerR2ts(initiator, pdus, sent);
      const responses = pdus.filter(({ opcode }) => opcode !== Opcode.readyToTransfer);
      received.push(...responses.map((pdu) => ({ pdu, connection, turn })));
    }
    // Some functions wait for data and acknowledgements until their time is over.
    if (random.oneIn(2) || turn > 9) harness.clock.advance(Limits.owedMs);
    await settle();
  }
  return received;
}

/** Returns true when a write was sent before a function, and the target can know it. */
function isBefore(write: Sent, fn: Sent): boolean {
  if (write.order > fn.order) return false;
  return serialDistance(write.cmdSn, fn.cmdSn) > 0 || write.connection === fn.connection;
}

/** Returns true when a function ends a write or may end it: it was sent after it, or is a reset. */
function covers(fn: Sent, write: Sent): boolean {
  if (fn.fn === TaskManagement.abortTask) return fn.referenced === write;
  const isInScope = fn.fn === TaskManagement.targetWarmReset || fn.lun === write.lun;
  return isInScope && (RESETS.includes(fn.fn!) || isBefore(write, fn));
}

/** Returns the responses to a request. */
function answersTo({ tag }: Sent, received: readonly Received[]): Received[] {
  return received.filter(({ pdu }) => pdu.initiatorTaskTag === tag);
}

/** Asserts that functions are answered, and that no status of a write that they end follows (11.5.1). */
function assertFunctions(sent: readonly Sent[], received: readonly Received[]): void {
  for (const fn of sent) {
    if (fn.fn === undefined) continue;
    const [answer, ...more] = answersTo(fn, received);
    // A reset of the target uses up the numbers before its own, those of functions included (4.2.3.3).
    const isReset = ({ order, fn: other }: Sent): boolean =>
      other === TaskManagement.targetWarmReset && order > fn.order;
    if (answer === undefined && sent.some(isReset)) continue;
    assertEquals([answer?.pdu.opcode, more.length], [Opcode.taskManagementResponse, 0], `${fn.order}`);
    const isAbort = fn.fn === TaskManagement.abortTask;
    const allowed: number[] = isAbort ? Object.values(Response) : [Response.functionComplete];
    const { response } = answer!.pdu;
    assert(allowed.includes(response), `${fn.order}: ${response}`);
    if (response !== Response.functionComplete) continue;
    const ended = sent.filter((write) =>
      write.fn === undefined && isBefore(write, fn) && covers(fn, write) &&
      // The target cannot know which immediate commands are on their way over another connection.
      (!write.isImmediate || write.connection === fn.connection)
    );
    for (const write of ended) {
      const isLate = answersTo(write, received).some((status) => isAfter(status, answer!, received));
      assert(!isLate, `${write.order} has a status after the response to ${fn.order}`);
    }
  }
}

/** Returns true when one response certainly arrived after another. Connections are looked at in turn. */
function isAfter(one: Received, other: Received, received: readonly Received[]): boolean {
  if (one.connection !== other.connection) return one.turn > other.turn;
  return received.indexOf(one) > received.indexOf(other);
}

/** Asserts that each write has one status, and its data where that is GOOD, or that a function ended it. */
function assertWrites(
  sent: readonly Sent[],
  received: readonly Received[],
  media: readonly MemoryStore[],
): void {
  const complete = sent.filter((fn) =>
    fn.fn !== undefined && answersTo(fn, received)[0]?.pdu.response === Response.functionComplete
  );
  for (const write of sent) {
    if (write.fn !== undefined) continue;
    const [answer, ...more] = answersTo(write, received);
    assertEquals(more.length, 0);
    if (answer === undefined) {
      assert(complete.some((fn) => covers(fn, write)), `write ${write.order} has no status`);
      continue;
    }
    assertEquals(answer.pdu.opcode, Opcode.scsiResponse);
    if (answer.pdu.status !== ScsiStatus.good) continue;
    assertEquals(contentOf(media[write.lun]!, write.order * 512, 512), dataOf(write.order));
  }
}

/** Returns the requests of a round for a message. */
function describe(sent: readonly Sent[]): string {
  return sent.map(({ order, connection, cmdSn, lun, fn, pdu, referenced }) =>
    `${order}: connection ${connection}, LUN ${lun}, CmdSN ${cmdSn | 0}, opcode ${
      pdu.header[0]!.toString(16)
    }` +
    `${fn === undefined ? "" : `, function ${fn}`}${
      referenced === undefined ? "" : ` of ${referenced.order}`
    }`
  ).join("\n");
}

async function runRound(seed: number): Promise<void> {
  const random = new Random(seed);
  const media = [0, 1].map(() => new MemoryStore({ sizeBytes: SIZE }));
  const stores = media.map((medium) => new SlowStore(medium));
  await withHarness({ targets: [{ stores }] }, async (harness) => {
    const { initiators } = await harness.logInSession(2, { unitCount: 2 });
    const round = { random, harness, stores, initiators };
    const sent = makeRequests(round);
    try {
      await deliver(round, sent);
      const received = await collect(round, sent);
      assertFunctions(sent, received);
      assertWrites(sent, received, media);
      assertEquals([...harness.node.sessions()][0]!.isWindowAnnounced, true);
    } catch (error) {
      throw new Error(`seed ${seed}:\n${describe(sent)}`, { cause: error });
    }
  });
}

Deno.test("no write vanishes without a status, in whatever order functions and writes arrive", async () => {
  const first = numberFromEnvironment("SEED", 1);
  const count = numberFromEnvironment("ROUNDS", 90);
  for (let start = first; start < first + count; start += 30) {
    const seeds = Array.from({ length: Math.min(30, first + count - start) }, (_, index) => start + index);
    await Promise.all(seeds.map(runRound));
  }
});
