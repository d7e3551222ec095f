/**
 * Initiators gone mad, against the whole node. Whatever they send, they lose their own connection at most: the node
 * does not fail, others are served and keep their bytes, and nothing is left behind.
 *
 * `FUZZ_RUNS` makes it longer, `FUZZ_SEED` repeats a run that failed (with `FUZZ_RUNS=1`).
 */
import { assertEquals } from "@std/assert";
import { ConnectionClosed, InitiatorConnection } from "../support/initiator_connection.ts";
import { read10 } from "../support/initiator_cdb.ts";
import { checkLayout } from "../support/initiator_pdu.ts";
import { joinBytes } from "../support/initiator_text.ts";
import { MemoryStore } from "../support/memory_store.ts";
import { createPipe } from "../support/pipe.ts";
import { SlowStore } from "../support/slow_store.ts";
import { assertSameBytes, digest, ENDS, Harness, nameOf, pattern, settle } from "../iscsi/_harness.ts";
import { type ExchangeOptions, spoiledExchange } from "./_exchange.ts";
import { numberFromEnvironment, Random } from "./_random.ts";

const SEED = numberFromEnvironment("FUZZ_SEED", 7143);
const RUNS = numberFromEnvironment("FUZZ_RUNS", 20);

const SIZE = 1024 * 1024;

/** What the stores begin with, and the witness reads. */
const CONTENT = pattern(16_384);

/** The target that only the witness uses: nobody guesses its name. */
const WITNESS = "0d5c1b7e-2f6a-4b3f-9c55-9e1d2a7b8c40";

interface Bench {
  readonly harness: Harness;
  readonly store: MemoryStore;
  readonly witnessStore: MemoryStore;
  /** Hears of every PDU that the target sent to the mad initiator. */
  readonly heard: Uint8Array[];
}

function makeBench(isSlow: boolean): Bench {
  const store = new MemoryStore({ sizeBytes: SIZE });
  const witnessStore = new MemoryStore({ sizeBytes: SIZE });
  for (const each of [store, witnessStore]) each.writeNow(0, CONTENT);
  const shown = isSlow ? new SlowStore(store, { delayMs: 0 }) : store;
  const harness = new Harness({
    targets: [{ stores: [shown, shown] }, { name: WITNESS, stores: [witnessStore] }],
    // The witness, and one more: a session that is left behind shows in the next run.
    sessions: 2,
    connections: 2,
  });
  return { harness, store, witnessStore, heard: [] };
}

/** Sends in pieces of random size, whatever the other end makes of it, and reads all that comes. */
async function run({ harness, heard }: Bench, random: Random, pieces: readonly Uint8Array[]): Promise<void> {
  const [ours, theirs] = createPipe({ capacityBytes: 1 + random.below(20_000) });
  const served = harness.node.serve(theirs, ENDS);
  served.catch(() => {});
  const connection = new InitiatorConnection(ours);
  const reading = (async (): Promise<unknown> => {
    for (let count = 0; count < 100_000; count++) {
      const pdu = await connection.receive(Infinity).catch((error: unknown) => {
        if (error instanceof ConnectionClosed) return undefined;
        throw error;
      });
      if (pdu === undefined) return undefined;
      checkLayout(pdu);
      heard.push(pdu.header, pdu.data);
    }
    return "the target sends without end";
  })().catch((error: unknown) => error);
  const bytes = joinBytes(pieces);
  for (let offset = 0; offset < bytes.length;) {
    const end = Math.min(bytes.length, offset + 1 + random.below(5000));
    const isSent = await connection.send(bytes.subarray(offset, end)).then(() => true, () => false);
    if (!isSent) break;
    offset = end;
  }
  // But for a slow medium nothing waits for more than promises: all of it is over when a timer runs out.
  await settle();
  await connection.close();
  await served;
  assertEquals(await reading, undefined);
}

/** One run, from a seed alone. Returns what the target said, in short. */
async function fuzz(seed: number, options: ExchangeOptions): Promise<string> {
  const random = new Random(seed);
  const bench = makeBench(options.mayWrite && random.oneIn(3));
  const { harness, store, witnessStore } = bench;
  try {
    const witness = await harness.logIn({
      targetName: nameOf(WITNESS),
      initiatorName: "iqn.2000-01.a:witness",
    });
    const writeCount = store.writeCount;
    for (let round = 0; round < 3; round++) {
      await run(bench, random, spoiledExchange(random, options));
      await witness.nop();
      const { data } = await witness.command({ cdb: read10(round * 8, 8), read: 4096 });
      await assertSameBytes(data, CONTENT.subarray(round * 4096, (round + 1) * 4096), "the witness's bytes");
    }
    if (!options.mayWrite) assertEquals(store.writeCount, writeCount, "writes to the store");
    assertEquals(witnessStore.writeCount, 1, "writes to the witness's store");
    await harness.logIn({ unitCount: 2 });
    await harness.end();
  } catch (cause) {
    await harness.end().catch(() => {});
    const flags = `spoilsLogin ${options.spoilsLogin}, mayWrite ${options.mayWrite}`;
    throw new Error(`Failed with FUZZ_SEED=${seed} FUZZ_RUNS=1 (${flags}): ${cause}`, { cause });
  }
  return await digest(joinBytes(bench.heard));
}

const KINDS: Readonly<Record<string, ExchangeOptions>> = {
  "before login": { spoilsLogin: true, mayWrite: true },
  "after login": { spoilsLogin: false, mayWrite: true },
  "after login, without a byte that could write": { spoilsLogin: false, mayWrite: false },
};

for (const [name, options] of Object.entries(KINDS)) {
  Deno.test(`an initiator that goes mad ${name} harms only itself`, async () => {
    for (let index = 0; index < RUNS; index++) await fuzz((SEED + index) >>> 0, options);
  });
}

Deno.test("a run is the same for the same seed", async () => {
  for (let seed = 1; seed <= 5; seed++) {
    const options = { spoilsLogin: seed % 2 === 0, mayWrite: false };
    assertEquals(await fuzz(seed, options), await fuzz(seed, options));
  }
});
