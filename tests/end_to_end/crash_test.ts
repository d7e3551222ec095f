/**
 * Every promise outlasts crashes of the product's programs, which strace watches: a bounded run. `deno task crash` runs
 * long ones.
 */
import { assert, assertEquals } from "@std/assert";
import { explorePrograms } from "../crash/_campaign.ts";
import { recordPrograms } from "../crash/_program_recorder.ts";
import { formatViolations } from "../crash/_table.ts";
import { makeScratch } from "../crash/_tree_files.ts";
import { WORKLOADS } from "../crash/_workloads.ts";
import { numberFromEnvironment } from "../support/seeded_random.ts";
import { testWithTools } from "../support/tools.ts";

const SEED = numberFromEnvironment("CRASH_SEED", 1981);
/** For each workload. */
const STATES = numberFromEnvironment("CRASH_STATES", 30);
const PROGRAMS = 1;

for (const workload of WORKLOADS) {
  testWithTools(
    `${workload.name}: no crash of the programs breaks a promise (CRASH_SEED=${SEED})`,
    ["strace", "fallocate"],
    async () => {
      const options = { seed: SEED, states: STATES, programs: PROGRAMS };
      const { tried, violations } = await explorePrograms(workload, options);
      assertEquals(formatViolations(violations), "");
      assert(tried.kill > 0 && tried.power > 0 && tried.programs === PROGRAMS, JSON.stringify(tried));
    },
  );
}

testWithTools("strace sees holes, which another program makes", ["strace", "fallocate"], async () => {
  const folder = makeScratch();
  try {
    const workload = WORKLOADS.find(({ name }) => name === "unmap")!;
    const { recording } = await recordPrograms(workload, folder);
    assert(recording.operations.some(({ change }) => change.kind === "punch"));
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});
