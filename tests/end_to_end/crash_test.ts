/**
 * Every promise outlasts crashes of the product's programs, which strace watches: a bounded run. `deno task crash` runs
 * long ones.
 */
import { assert, assertEquals } from "@std/assert";
import { explorePrograms } from "../crash/_campaign.ts";
import { recordPrograms } from "../crash/_program_recorder.ts";
import { formatViolations } from "../crash/_table.ts";
import { makeScratch, readTree } from "../crash/_tree_files.ts";
import { WORKLOADS } from "../crash/_workloads.ts";
import { numberFromEnvironment } from "../fuzz/_random.ts";
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

testWithTools(
  "strace sees all that the programs do to a storage folder",
  ["strace", "fallocate"],
  async () => {
    const folder = makeScratch();
    try {
      const workload = WORKLOADS.find(({ name }) => name === "unmap")!;
      const { before, recording } = await recordPrograms(workload, folder);
      for (const operation of recording.operations) before.apply(operation);
      const files = (tree: ReturnType<typeof readTree>): unknown[] =>
        [...tree].filter(([path]) => !path.includes(".iscsi/")).map(([path, entry]) => [
          path,
          entry.kind === "file"
            ? [...entry.image.pages].filter(([, bytes]) => bytes.some(Boolean)).length
            : entry.kind,
        ]);
      assertEquals(files(before.tree()).toSorted(), files(readTree(`${folder}/root`)).toSorted());
      assert(
        recording.operations.some(({ change }) => change.kind === "punch"),
        "holes are made by another program",
      );
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
  },
);
