/** The run itself, in namespaces that `run.ts` has made: whatever this process starts, mounts and adds ends with it. */
import { Random } from "../support/seeded_random.ts";
import { Campaign, type ScenarioReport } from "./_campaign.ts";
import { readClusterOptions } from "./_options.ts";
import { SCENARIOS } from "./_scenarios.ts";
import { spoil, SPOILS } from "./_spoils.ts";
import { formatTable } from "./_table.ts";

async function main(): Promise<number> {
  const options = readClusterOptions();
  const scratch = Deno.env.get("CLUSTER_FOLDER")!;
  const fault = options.spoil === "" ? undefined : SPOILS[options.spoil];
  const wanted = new RegExp(options.only, "i");
  let folders = 0;
  const campaign = new Campaign({
    rounds: Number(options.rounds),
    random: new Random(options.seed),
    makeFolder: () => {
      const folder = `${scratch}/${++folders}`;
      Deno.mkdirSync(folder);
      return folder;
    },
    ...(fault === undefined ? {} : { prepare: (folder) => spoil(folder, fault) }),
    hasWriteCache: options.writecache,
    isTrusting: !options.writecache || options.trusting,
    print: console.log,
  });
  const reports: ScenarioReport[] = [];
  for (const scenario of SCENARIOS.filter(({ name }) => wanted.test(name))) {
    reports.push(await campaign.run(scenario));
  }
  await campaign.end();
  return print(reports, campaign);
}

function print(reports: readonly ScenarioReport[], { totals }: Campaign): number {
  console.log(`\n${formatTable(reports)}`);
  console.log(
    `${totals.records} records; ${totals.refusedIntrusions} writes against the reservation refused; ` +
      `the storage was seen in use ${totals.sightings} times, with looks at most ${
        totals.longestLookMs.toFixed(0)
      } ms apart`,
  );
  for (const { scenario, faults } of reports) {
    for (const fault of faults.slice(0, FAULTS_SHOWN)) console.log(`${scenario}: ${fault}`);
    if (faults.length > FAULTS_SHOWN) console.log(`${scenario}: and ${faults.length - FAULTS_SHOWN} more`);
  }
  const passed = reports.reduce((sum, report) => sum + report.passed, 0);
  const failed = reports.reduce((sum, report) => sum + report.failed, 0);
  console.log(`\n${passed} passed, ${failed} failed`);
  return failed > 0 ? 1 : 0;
}

const FAULTS_SHOWN = 8;

for (const signal of ["SIGINT", "SIGTERM"] as const) Deno.addSignalListener(signal, () => Deno.exit(130));
// The process that made the namespaces holds the other end.
Deno.stdin.readable.pipeTo(new WritableStream()).finally(() => Deno.exit(130));
Deno.exit(await main());
