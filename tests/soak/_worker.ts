/** An initiator at work for the whole soak: it logs in, works in several lanes, and logs in again. */
import { command, TARGET } from "../crash/_product.ts";
import type { Counter } from "../crash/_world.ts";
import { Random } from "../support/seeded_random.ts";
import { Initiator } from "../support/initiator.ts";
import { ConnectionClosed } from "../support/initiator_connection.ts";
import { testUnitReady } from "../support/initiator_cdb.ts";
import { BlockModel } from "./_block_model.ts";
import { type Area, Lane } from "./_lane.ts";
import type { Tally } from "./_tally.ts";

/** Commands under way in a session, one for each. */
const LANES = 4;

/** Length of a session. */
const SESSION_MS_MIN = 500;
const SESSION_MS_MAX = 8000;

/** The work of an initiator. */
export interface WorkerOptions {
  readonly port: number;
  readonly number: number;
  readonly area: Area;
  readonly seed: number;
  readonly ids: Counter;
  readonly tally: Tally;
  /** Time between two commands of a lane. */
  readonly pauseMs: number;
  /** Reports if the time is over. */
  readonly isOver: () => boolean;
}

/** Works until the time is over; then all of its blocks are read once more. */
export async function workUntilOver(options: WorkerOptions): Promise<void> {
  const { area, seed, ids, tally, isOver } = options;
  const random = new Random(seed);
  const blocks = Math.floor(area.blocks / LANES);
  const lanes = Array.from({ length: LANES }, (_, index) => {
    const part = { first: area.first + index * blocks, blocks };
    return new Lane(part, new BlockModel(part.first, blocks), {
      random: new Random(random.uint32()),
      ids,
      tally,
    });
  });
  while (!isOver()) {
    const initiator = await logIn(options, random);
    const end = performance.now() + SESSION_MS_MIN + random.below(SESSION_MS_MAX - SESSION_MS_MIN);
    const isCut = random.oneIn(3);
    const work = Promise.all(lanes.map((lane) => workInLane(lane, initiator, options, end, isCut)));
    if (isCut) await cutAfter(initiator, end, isOver);
    await work;
    if (!isCut) await logOut(initiator);
    tally.count(isCut ? "cut connection" : "logout");
  }
  const initiator = await logIn(options, random);
  for (const lane of lanes) await lane.readAll(initiator);
  await logOut(initiator);
}

/** Logs in, with or without digests, from the same initiator port, and so reinstates its old session. */
async function logIn({ port, number }: WorkerOptions, random: Random): Promise<Initiator> {
  const initiator = await Initiator.connect(port);
  const digest = random.oneIn(3) ? { HeaderDigest: "CRC32C", DataDigest: "CRC32C" } : {};
  await initiator.login({
    targetName: TARGET,
    initiatorName: `iqn.2000-01.test:worker${number}`,
    isid: Uint8Array.of(0x80, 0, 0, 0, 0, number),
    keys: digest,
  });
  await command(initiator, { cdb: testUnitReady() });
  return initiator;
}

async function logOut(initiator: Initiator): Promise<void> {
  await initiator.logout();
  await initiator.close();
}

async function cutAfter(initiator: Initiator, end: number, isOver: () => boolean): Promise<void> {
  while (performance.now() < end && !isOver()) await pause(20);
  await initiator.close();
}

async function workInLane(
  lane: Lane,
  initiator: Initiator,
  { pauseMs, isOver }: WorkerOptions,
  end: number,
  isCut: boolean,
): Promise<void> {
  try {
    while (isCut || performance.now() < end && !isOver()) {
      await lane.step(initiator);
      await pause(pauseMs);
    }
  } catch (error) {
    // A worker that cuts a connection ends the work on it.
    if (!isCut || !isEndOfConnection(error)) throw error;
  }
}

function isEndOfConnection(error: unknown): boolean {
  return error instanceof ConnectionClosed || error instanceof Deno.errors.BadResource ||
    error instanceof Deno.errors.BrokenPipe || error instanceof Deno.errors.Interrupted;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
