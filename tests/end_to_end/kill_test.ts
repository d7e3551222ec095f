/** The server and `iscsi build` are killed at work: a few rounds. `deno task kill` runs many. */
import { assert, assertEquals } from "@std/assert";
import { makeScratch } from "../crash/_tree_files.ts";
import { numberFromEnvironment } from "../support/seeded_random.ts";
import { type KillOptions, type KillReport, runRounds } from "../kill/_rounds.ts";

const SEED = numberFromEnvironment("KILL_SEED", 9);
const ROUNDS = numberFromEnvironment("KILL_ROUNDS", 4);

async function run(options: Omit<KillOptions, "folder" | "seed">): Promise<KillReport> {
  const folder = makeScratch();
  try {
    return await runRounds({ ...options, folder, seed: SEED });
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

Deno.test(`kill -9 loses nothing that was acknowledged (KILL_SEED=${SEED})`, async () => {
  const { rounds, acknowledged, faults } = await run({ rounds: ROUNDS });
  assertEquals(faults, []);
  assertEquals(rounds, ROUNDS);
  assert(acknowledged > 20 * ROUNDS, `${acknowledged} commands were acknowledged`);
});

Deno.test("a block that is lost between death and restart is noticed, so that the test above can fail", async () => {
  function lose(storage: string): void {
    // Everything that one initiator has written.
    using file = Deno.openSync(`${storage}/disk`, { write: true });
    file.writeSync(new Uint8Array(512 * 512));
  }
  const { faults } = await run({ rounds: 3, onDeath: lose });
  assert(/^round \d: LUN 0, block \d+ holds write 0 and not/.test(faults[0]!), faults[0]);
});
