/** Commands that neither other sessions nor the death of the server may interrupt, with the shipped program. */
import { assert, assertEquals, AssertionError } from "@std/assert";
import { incrementCounter, readCounter } from "../support/counters.ts";
import type { Initiator } from "../support/initiator.ts";
import { compareAndWrite, read16, writeAtomic16 } from "../support/initiator_cdb.ts";
import { ScsiStatus } from "../support/initiator_sense.ts";
import { Appliance } from "./appliance.ts";
import { numberFromEnvironment, seededRandom } from "../support/seeded_random.ts";

const BLOCK = 512;
const TARGET = "iqn.2002-08.info.netmanager:disk";
const CONF = "\n[disk]\nsize = 64MB\nnetworks = 127.0.0.0/8\n";

/** Returns a session of an initiator port that has taken its first unit attention. */
async function logIn(appliance: Appliance, port = 0): Promise<Initiator> {
  const initiator = await appliance.login({
    targetName: TARGET,
    isid: Uint8Array.of(0x80, 0, 0, 0, 1, port),
  });
  await initiator.command({ cdb: new Uint8Array(6) });
  return initiator;
}

Deno.test("eight initiators that increment a number by COMPARE AND WRITE lose no increment", async () => {
  using appliance = Appliance.create(CONF);
  await using _server = await appliance.serve();
  const initiators = await Promise.all(Array.from({ length: 8 }, (_, port) => logIn(appliance, port)));
  await Promise.all(initiators.map(async (initiator) => {
    for (let count = 0; count < 25; count++) await incrementCounter(initiator, 77);
  }));
  assertEquals(await readCounter(initiators[0]!, 77), 200);
  for (const initiator of initiators) await initiator.close();
});

const SEED = numberFromEnvironment("FUZZ_SEED", 20070101);

/** A stretch of the disk that is only ever written as a whole, all its bytes being equal. */
interface Stretch {
  readonly lba: number;
  readonly blocks: number;
  /** The value that was acknowledged last, and the one that was asked for last. */
  acknowledged: number;
  asked: number;
}

/** Writes a stretch again and again, until the server is gone. */
async function keepWriting(initiator: Initiator, stretch: Stretch, compares: boolean): Promise<void> {
  const bytes = stretch.blocks * BLOCK;
  try {
    while (true) {
      stretch.asked = (stretch.acknowledged + 1) % 256;
      const data = new Uint8Array(compares ? 2 * bytes : bytes).fill(stretch.asked);
      if (compares) data.fill(stretch.acknowledged, 0, bytes);
      const cdb = (compares ? compareAndWrite : writeAtomic16)(stretch.lba, stretch.blocks);
      const { status } = await initiator.command({ cdb, write: data });
      assertEquals(status, ScsiStatus.good);
      stretch.acknowledged = stretch.asked;
    }
  } catch (error) {
    if (error instanceof AssertionError) throw error;
  }
}

Deno.test(`the death of the server at any moment leaves no atomic write half done (FUZZ_SEED=${SEED})`, async () => {
  using appliance = Appliance.create(CONF);
  const random = seededRandom(SEED);
  // Aligned to pages and not, in one page and in many.
  const stretches: Stretch[] = [[0, 256], [1003, 256], [2001, 128], [3007, 20], [4000, 8], [5003, 3]]
    .map(([lba, blocks]) => ({ lba: lba!, blocks: blocks!, acknowledged: 0, asked: 0 }));
  for (let death = 0; death < 8; death++) {
    const server = await appliance.serve();
    const initiators = await Promise.all(stretches.map((_, port) => logIn(appliance, port)));
    for (const [index, stretch] of stretches.entries()) {
      const { lba, blocks } = stretch;
      const { data, status } = await initiators[index]!.command({
        cdb: read16(lba, blocks),
        read: blocks * BLOCK,
      });
      assertEquals(status, ScsiStatus.good);
      const where = `seed ${SEED}, death ${death}: blocks from ${lba}`;
      assert(data.every((byte) => byte === data[0]), `${where} are torn`);
      assert([stretch.acknowledged, stretch.asked].includes(data[0]!), `${where} have lost a write`);
      stretch.acknowledged = data[0]!;
    }
    const writing = stretches.map((stretch, index) =>
      keepWriting(initiators[index]!, stretch, stretch.blocks <= 128 && index % 2 === 0)
    );
    await new Promise((resolve) => setTimeout(resolve, 20 + random(150)));
    await server.kill();
    await Promise.all(writing);
    for (const initiator of initiators) await initiator.close();
  }
  assert(stretches.every(({ asked }) => asked > 0), "every stretch was written");
});
