/**
 * Initiators gone mad, against the whole node: a short campaign. `deno task fuzz` runs long ones.
 *
 * `FUZZ_PDUS` makes it longer, `FUZZ_SEED` begins elsewhere.
 */
import { assert, assertEquals } from "@std/assert";
import { runCampaign } from "./_campaign.ts";
import { numberFromEnvironment } from "../support/seeded_random.ts";

const SEED = numberFromEnvironment("FUZZ_SEED", 7143);
const FAST_SEED = 1;
const PDUS = numberFromEnvironment("FUZZ_PDUS", 6000);

Deno.test("whatever mad initiators send, they harm only themselves", async () => {
  const report = await runCampaign({ pdus: PDUS, seed: SEED });
  // A campaign that gets nowhere shows nothing.
  assert(report.storeWrites > PDUS / 100, `${report.storeWrites} writes reached a medium`);
  const reached = ["PDUs received", "Login statuses", "Reject reasons"].map((name) =>
    report.names(name).length
  );
  assert(reached[0]! >= 9 && reached[1]! >= 6 && reached[2]! >= 5, `of everything there was ${reached}`);
  assert(report.names("What the operator did").length >= 10, "the conf was changed in many ways");
  const joined = report.counted("Logins while others were at work", "into the session of another: done");
  assert(joined > 0, "somebody has joined a session");
});

Deno.test("a campaign sends the same for the same seed", async () => {
  const sent = async (): Promise<unknown[]> => {
    // This seed makes a node with neither a slow medium nor files, whose timing is not reproducible.
    const report = await runCampaign({ pdus: 1000, seed: FAST_SEED });
    return report.names("PDUs sent").map((name) => [name, report.counted("PDUs sent", name)]);
  };
  assertEquals(await sent(), await sent());
});
