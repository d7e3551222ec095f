/**
 * A fuzzing campaign: exchange after exchange with initiators gone mad, against the whole node, until so many PDUs have
 * been sent. After each exchange the invariants are checked:
 *
 * - the node did not fail, and every connection came to its end;
 * - nothing is left behind: no session, no nexus, no task, no hold on a medium, no work under way;
 * - every byte that reached a medium is one that a WRITE of these initiators put there;
 * - a well-behaved session, which reads and writes all the while, got its own bytes and no error.
 */
import { assertEquals } from "@std/assert";
import type { ChapConfig } from "../../lib/config/chap.ts";
import { Secret } from "../../lib/config/secret.ts";
import type { ByteRange } from "../../lib/store/byte_range.ts";
import type { Initiator } from "../support/initiator.ts";
import { read10, write10 } from "../support/initiator_cdb.ts";
import { withTimeLimit } from "../support/initiator_connection.ts";
import { MemoryStore } from "../support/memory_store.ts";
import { SlowStore } from "../support/slow_store.ts";
import { assertSameBytes, ENDS, Harness, nameOf, settle, until } from "../iscsi/_harness.ts";
import { FuzzReport } from "./_fuzz_report.ts";
import { FuzzStream } from "./_fuzz_stream.ts";
import { CREDENTIALS, GUARDED, MOVED } from "./_login_grammar.ts";
import { MadInitiator } from "./_mad_initiator.ts";
import { Random } from "./_random.ts";
import type { StoreWrite } from "./_sent_writes.ts";

const SIZE = 1024 * 1024;

/** The target that only the witness uses: nobody guesses its name. */
const WITNESS = "0d5c1b7e-2f6a-4b3f-9c55-9e1d2a7b8c40";

/** Exchanges with one node. What an initiator may change for good (mode pages, reservations) stays until the next. */
const EXCHANGES_PER_NODE = 50;

/** How far the clock moves when the target lets somebody wait: answers to failed logins are held back. */
const PAUSE_MS = 1500;

/** A store that shows what is written to it. */
class WatchedStore extends MemoryStore {
  readonly writes: StoreWrite[] = [];
  readonly #lun: number;

  constructor(lun: number) {
    super({ sizeBytes: SIZE });
    this.#lun = lun;
  }

  override writeNow(offset: number, from: Uint8Array): boolean {
    this.writes.push({ lun: this.#lun, offset, bytes: from.slice() });
    return super.writeNow(offset, from);
  }

  override async unmap(ranges: readonly ByteRange[]): Promise<void> {
    for (const { offset } of ranges) this.writes.push({ lun: this.#lun, offset, bytes: Uint8Array.of(0) });
    await super.unmap(ranges);
  }
}

const SECRET = new Secret(new TextEncoder().encode(CREDENTIALS.secret));
const CHAP: ChapConfig = {
  accounts: new Map([[CREDENTIALS.name, { name: CREDENTIALS.name, secret: SECRET, initiators: [] }]]),
  mutual: undefined,
};

/** A node with a target for the mad and one for the witness. */
interface Bench {
  readonly harness: Harness;
  readonly stores: readonly WatchedStore[];
  readonly witness: Initiator;
}

async function makeBench(isSlow: boolean): Promise<Bench> {
  const stores = [new WatchedStore(0), new WatchedStore(1)] as const;
  const shown = [stores[0], isSlow ? new SlowStore(stores[1], { delayMs: 0 }) : stores[1]];
  const own = new MemoryStore({ sizeBytes: SIZE });
  const guarded = {
    name: GUARDED,
    chap: CHAP,
    stores: [new MemoryStore({ sizeBytes: SIZE, readOnly: true })],
  };
  const moved = { name: MOVED, redirect: { targetAddress: "10.0.0.9:3260", isPermanent: false } };
  const harness = new Harness({
    targets: [{ stores: shown }, guarded, moved, { name: WITNESS, stores: [own] }],
  });
  const targetName = nameOf(WITNESS);
  const witness = await harness.logIn({ targetName, initiatorName: "iqn.2000-01.a:witness" });
  return { harness, stores, witness };
}

/** Verified input and output of the session that does nothing wrong. */
async function bearWitness({ witness }: Bench, random: Random, report: FuzzReport): Promise<void> {
  const blocks = 1 + random.below(16);
  const lba = random.below(2000);
  const write = random.bytes(blocks * 512);
  const written = await witness.command({ cdb: write10(lba, blocks), write });
  const { data, status } = await witness.command({ cdb: read10(lba, blocks), read: write.length });
  assertEquals([written.status, status], [0, 0], "statuses of the witness");
  await assertSameBytes(data, write, "the witness's bytes");
  report.witnessCommands += 2;
}

/** One connection of a mad initiator, from beginning to end. */
interface MadConnection {
  readonly initiator: MadInitiator;
  readonly served: Promise<unknown>;
}

function connect({ harness }: Bench, random: Random, report: FuzzReport): MadConnection {
  const stream = new FuzzStream(() => harness.clock.advance(PAUSE_MS));
  // The target's own fault is a rejection: it is kept, and looked at when the connection is over.
  const served = harness.node.serve(stream, ENDS).catch((error: unknown) => error);
  const madness = { spoilsLogin: random.oneIn(4), oneIn: random.pick([3, 10, 10, 30, 100]) };
  return { initiator: new MadInitiator(stream, random, madness, report), served };
}

async function converse(
  { harness }: Bench,
  connections: readonly MadConnection[],
  random: Random,
): Promise<void> {
  let join = 0;
  for (const { initiator } of connections) {
    await initiator.logIn(random.oneIn(2) ? join : 0);
    join = initiator.tsih;
    if (initiator.isLoggedIn && !random.oneIn(5)) await initiator.hearAttentions();
  }
  for (let count = 5 + random.below(80); count > 0; count--) {
    const { initiator } = random.pick(connections);
    if (initiator.stream.isClosed) break;
    if (initiator.isLoggedIn || random.oneIn(4)) await initiator.act();
    // A medium that completes later has its turn now and then, and time goes by.
    if (random.oneIn(16)) await settle();
    if (random.oneIn(40)) harness.clock.advance(PAUSE_MS);
  }
}

async function endAll(
  connections: readonly MadConnection[],
  random: Random,
  report: FuzzReport,
): Promise<void> {
  for (const { initiator, served } of connections) {
    report.ended(initiator.stream.isClosed ? "by the target" : "by the initiator");
    initiator.stream.end();
    if (random.oneIn(2)) await settle();
    assertEquals(await withTimeLimit(served, 10_000, "end a connection"), undefined, "the node did not fail");
    initiator.hear();
  }
}

async function assertNothingIsLeft({ harness }: Bench): Promise<void> {
  const { node, units } = harness;
  await until(() => node.holdings.works === 0, "no work is under way");
  assertEquals(node.holdings, { connections: 1, sessions: 1, works: 0, textBytes: 0 }, "what the node holds");
  for (const [name, logicalUnits] of units) {
    for (const { nexuses, ranges } of logicalUnits) {
      assertEquals(nexuses.size, name === WITNESS ? 1 : 0, `nexuses of ${name}`);
      assertEquals(ranges.isIdle, true, `nobody has a hold on a medium of ${name}`);
    }
  }
}

function assertWritesAreJustified(
  { stores }: Bench,
  connections: readonly MadConnection[],
  report: FuzzReport,
): void {
  const writes = stores.flatMap((store) => store.writes.splice(0));
  const sent = connections.map(({ initiator }) => initiator.sentWrites);
  if (sent.some(({ hasOtherWriting }) => hasOtherWriting)) return void report.unjudgedExchanges++;
  report.storeWrites += writes.length;
  for (const write of writes) {
    if (sent.some((writesOfOne) => writesOfOne.justifies(write))) continue;
    const where = `LUN ${write.lun}, ${write.bytes.length} bytes at ${write.offset}`;
    throw new Error(`No WRITE that was sent put these bytes onto the medium: ${where}`);
  }
}

async function exchange(bench: Bench, random: Random, report: FuzzReport): Promise<void> {
  const connections: MadConnection[] = [];
  const count = random.oneIn(4) ? 2 + random.below(2) : 1;
  for (let index = 0; index < count; index++) connections.push(connect(bench, random, report));
  await Promise.all([
    converse(bench, connections, random).then(() => endAll(connections, random, report)),
    bearWitness(bench, new Random(random.uint32()), report),
  ]);
  await assertNothingIsLeft(bench);
  assertWritesAreJustified(bench, connections, report);
  report.exchanges++;
}

/** Exchanges with one node, from a seed alone; but a slow medium takes its own time. */
async function runOnNode(seed: number, pdusMax: number, report: FuzzReport): Promise<void> {
  const random = new Random(seed);
  const bench = await makeBench(random.oneIn(2));
  try {
    for (let index = 0; index < EXCHANGES_PER_NODE && report.pdus < pdusMax; index++) {
      await exchange(bench, random, report);
    }
  } finally {
    await bench.harness.end();
  }
}

/** How long a campaign is, and from where it starts. */
export interface CampaignOptions {
  readonly pdus: number;
  readonly seed: number;
  /** Told of progress. */
  readonly onProgress?: (report: FuzzReport) => void;
}

/**
 * Runs a campaign.
 *
 * @throws {Error} which names the seed that repeats what failed with `pdus` of 1
 */
export async function runCampaign({ pdus, seed, onProgress }: CampaignOptions): Promise<FuzzReport> {
  const report = new FuzzReport();
  for (let index = 0; report.pdus < pdus; index++) {
    const own = (seed + index) >>> 0;
    try {
      await runOnNode(own, pdus, report);
    } catch (cause) {
      throw new Error(`Failed with seed ${own}: deno task fuzz --pdus 5000 --seed ${own}: ${cause}`, {
        cause,
      });
    }
    report.measure();
    onProgress?.(report);
  }
  return report;
}
