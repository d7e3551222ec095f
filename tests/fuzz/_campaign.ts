/**
 * A fuzzing campaign: exchange after exchange with initiators gone mad, against the whole node, until so many PDUs have
 * been sent. After each exchange the invariants are checked:
 *
 * - the node did not fail, and every connection came to its end;
 * - nothing is left behind: no session, no nexus, no task, no hold on a medium, no work under way;
 * - every byte that reached a medium is one that a WRITE of these initiators put there;
 * - a well-behaved session, which reads and writes all the while, got its own bytes and no error.
 *
 * Meanwhile an operator interferes: disconnects sessions and, where the node is that of a server, changes what is
 * served.
 */
import { assertEquals } from "@std/assert";
import { read10, write10 } from "../support/initiator_cdb.ts";
import type { Initiator } from "../support/initiator.ts";
import { withTimeLimit } from "../support/initiator_connection.ts";
import type { FuzzBench } from "./_fuzz_bench.ts";
import { FuzzReport } from "./_fuzz_report.ts";
import { FuzzStream } from "./_fuzz_stream.ts";
import { MadInitiator } from "./_mad_initiator.ts";
import { MadSession } from "./_mad_session.ts";
import { MemoryBench } from "./_memory_bench.ts";
import { Random } from "../support/seeded_random.ts";
import { isJustified } from "./_sent_writes.ts";
import { ServedBench } from "./_served_bench.ts";
import { settle } from "../support/until.ts";
import { assertSameBytes } from "../support/content.ts";

/** Exchanges with one node. What an initiator may change for good (mode pages, reservations) stays until the next. */
const EXCHANGES_PER_NODE = 50;

/** Milliseconds to advance the clock when the target delays an answer: it delays logins after failed ones. */
const PAUSE_MS = 1500;

/** Milliseconds to advance the clock past a grace period. */
const GRACE_MS = 10_000;

const CONNECTIONS_MAX = 8;

/** One connection of a mad initiator, from beginning to end. */
interface MadConnection {
  readonly initiator: MadInitiator;
  readonly served: Promise<unknown>;
}

/** Mad initiators at work at a node, the operator that interferes, and the witness. */
class Exchange {
  readonly #bench: FuzzBench;
  readonly #random: Random;
  readonly #report: FuzzReport;
  readonly #connections: MadConnection[] = [];
  /** The witness's own source of random numbers: its writes do not depend on those of the mad initiators. */
  readonly #ownRandom: Random;
  #testimony: Promise<void> = Promise.resolve();
  /** The operator acts once in so many requests. */
  readonly #interferesOneIn: number;
  /** An additional initiator logs in once in so many requests. */
  readonly #logsInOneIn: number;

  constructor(bench: FuzzBench, random: Random, report: FuzzReport) {
    this.#bench = bench;
    this.#random = random;
    this.#report = report;
    this.#ownRandom = new Random(random.uint32());
    this.#interferesOneIn = random.pick([Infinity, 8, 20]);
    this.#logsInOneIn = random.pick([5, 20, 40]);
  }

  /**
   * @param staleTsih a session that is over
   * @returns another one
   */
  async run(staleTsih: number): Promise<number> {
    this.#testify();
    await this.#logInFirst();
    await this.#converse(staleTsih);
    await this.#endAll();
    await this.#testimony;
    await this.#bench.assertNothingIsLeft(this.#random);
    this.#judgeWrites();
    this.#report.exchanges++;
    return this.#connections[0]!.initiator.session.tsih || staleTsih;
  }

  /** Verified input and output of the session that does nothing wrong, once what it does already is done. */
  #testify(): Promise<void> {
    this.#testimony = this.#testimony.then(() => this.#bearWitness());
    // It is looked at when the exchange is over.
    this.#testimony.catch(() => {});
    return this.#testimony;
  }

  async #bearWitness(): Promise<void> {
    const { witness } = this.#bench;
    const random = this.#ownRandom;
    const blocks = 1 + random.below(16);
    const lba = random.below(2000);
    const write = random.bytes(blocks * 512);
    const written = await witness.command({ cdb: write10(lba, blocks), write });
    const { data, status } = await witness.command({ cdb: read10(lba, blocks), read: write.length });
    assertEquals([written.status, status], [0, 0], "statuses of the witness");
    await assertSameBytes(data, write, "the witness's bytes");
    this.#report.witnessCommands += 2;
  }

  #connect(session: MadSession): MadInitiator {
    const random = this.#random;
    const stream = new FuzzStream(() => this.#bench.clock.advance(PAUSE_MS));
    // The target's own fault is a rejection: it is kept, and looked at when the connection is over.
    const served = this.#bench.serve(stream).catch((error: unknown) => error);
    const madness = { spoilsLogin: random.oneIn(4), oneIn: random.pick([3, 10, 30, 100, 1000]) };
    const initiator = new MadInitiator({ stream, session, random, madness, witness: this.#report });
    this.#connections.push({ initiator, served });
    return initiator;
  }

  async #logIn(initiator: MadInitiator, tsih: number): Promise<void> {
    await initiator.logIn(tsih);
    if (initiator.isLoggedIn && !this.#random.oneIn(5)) await initiator.hearAttentions();
  }

  async #logInFirst(): Promise<void> {
    const random = this.#random;
    const session = new MadSession(random);
    const count = random.oneIn(4) ? 2 + random.below(2) : 1;
    for (let index = 0; index < count; index++) {
      const initiator = this.#connect(random.oneIn(2) ? session : new MadSession(random));
      await this.#logIn(initiator, random.oneIn(2) ? session.tsih : 0);
    }
  }

  async #converse(staleTsih: number): Promise<void> {
    const random = this.#random;
    for (let count = 5 + random.below(80); count > 0; count--) {
      const open = this.#connections.filter(({ initiator }) => !initiator.stream.isClosed);
      if (open.length === 0) break;
      const { initiator } = random.pick(open);
      if (initiator.isLoggedIn || random.oneIn(4)) await initiator.act();
      // Now and then a slow medium completes a request, and the clock advances.
      if (random.oneIn(16)) await settle();
      if (random.oneIn(40)) this.#bench.clock.advance(PAUSE_MS);
      if (random.oneIn(this.#logsInOneIn) && this.#connections.length < CONNECTIONS_MAX) {
        await this.#logInAmong(initiator.session, staleTsih);
      }
      if (random.oneIn(this.#interferesOneIn)) await this.#interfere();
    }
  }

  /** Logs in while others are at work: to join their session, to take the place of one of them, or as a stranger. */
  async #logInAmong(session: MadSession, staleTsih: number): Promise<void> {
    const random = this.#random;
    const [how, tsih] = random.pick<readonly [string, number]>([
      ["into the session of another", session.tsih],
      ["into the session of another", session.tsih],
      ["as a session of its own", 0],
      ["into a session that is over", staleTsih],
      ["into the session of the witness", this.#bench.witnessTsih],
      ["into any session", random.below(0x10000)],
    ]);
    const initiator = this.#connect(random.oneIn(4) ? new MadSession(random) : session);
    await this.#logIn(initiator, tsih);
    this.#report.loggedInAmong(`${how}: ${initiator.isLoggedIn ? "done" : "refused"}`);
  }

  /** The operator does something, and the witness must not notice. */
  async #interfere(): Promise<void> {
    this.#report.interfered(this.#bench.interfere(this.#random));
    if (this.#random.oneIn(4)) {
      await this.#testimony;
      this.#bench.clock.advance(GRACE_MS);
    }
    await this.#testify();
  }

  async #endAll(): Promise<void> {
    for (const { initiator, served } of this.#connections) {
      this.#report.ended(initiator.stream.isClosed ? "by the target" : "by the initiator");
      initiator.stream.end();
      if (this.#random.oneIn(2)) await settle();
      const error = await withTimeLimit(served, 60_000, "end a connection");
      assertEquals(error, undefined, "the node did not fail");
      initiator.hear();
    }
  }

  #judgeWrites(): void {
    const writes = this.#bench.takeWrites();
    const sent = this.#connections.map(({ initiator }) => initiator.sentWrites);
    if (sent.some(({ hasOtherWriting }) => hasOtherWriting)) return void this.#report.unjudgedExchanges++;
    this.#report.storeWrites += writes.length;
    const stray = writes.find((write) => !isJustified(write, sent));
    if (stray === undefined) return;
    const where = `LUN ${stray.lun}, ${stray.bytes.length} bytes at ${stray.offset}`;
    throw new Error(`No WRITE that was sent put these bytes onto the medium: ${where}`);
  }
}

/**
 * Receives until the connection is closed, so that the witness answers pings while it has no command under way. A login
 * that waits for room closes the connections of peers that do not answer within 3 s of the clock.
 */
async function listen(witness: Initiator): Promise<void> {
  try {
    while (true) await witness.receive(Infinity);
  } catch {
    // The commands of the witness report the loss of its connection.
  }
}

/** Exchanges with one node, from a seed alone; but files and a slow medium take their own time. */
async function runOnNode(seed: number, pdusMax: number, report: FuzzReport): Promise<void> {
  const random = new Random(seed);
  const bench = random.oneIn(2) ? await ServedBench.start() : await MemoryBench.start(random.oneIn(2));
  let staleTsih = 0;
  listen(bench.witness);
  try {
    for (let index = 0; index < EXCHANGES_PER_NODE && report.pdus < pdusMax; index++) {
      staleTsih = await new Exchange(bench, random, report).run(staleTsih);
    }
  } finally {
    await bench.end();
  }
}

/** The length of a campaign, and its seed. */
export interface CampaignOptions {
  readonly pdus: number;
  readonly seed: number;
  /** ReloadOutcome of progress. */
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
