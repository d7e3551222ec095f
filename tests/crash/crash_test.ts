/**
 * Every promise of the product outlasts crashes of it in this process: a bounded run. `deno task crash` runs long ones.
 *
 * `CRASH_STATES` makes it longer, `CRASH_SEED` chooses other states.
 */
import { assert, assertEquals } from "@std/assert";
import { numberFromEnvironment } from "../support/seeded_random.ts";
import { explore } from "./_campaign.ts";
import { formatViolations } from "./_table.ts";
import { WORKLOADS } from "./_workloads.ts";

const SEED = numberFromEnvironment("CRASH_SEED", 1981);
/** For each workload. */
const STATES = numberFromEnvironment("CRASH_STATES", 80);

for (const workload of WORKLOADS) {
  Deno.test(`${workload.name}: no crash breaks a promise (CRASH_SEED=${SEED})`, async () => {
    const { tried, violations } = await explore(workload, { seed: SEED, states: STATES });
    assertEquals(formatViolations(violations), "");
    assert(tried.kill > 0 && tried.power > 0 && tried.second > 0, JSON.stringify(tried));
  });
}
