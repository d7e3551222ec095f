/**
 * `deno task conformance [--json] [--only TEXT] [--kind NAME]`
 *
 * Serves a LUN of every kind on a free port of loopback (the program that `ISCSI_BINARY` names, or the source) and runs
 * every test of libiscsi's `iscsi-test-cu`, family ALL, by itself and with a time limit against each kind, one kind
 * after the other. Prints a line for each, and the totals over all kinds.
 *
 * A test passes if it passes on at least one kind, skips nothing there, and fails on none. Anything else is a failure:
 * a FAIL or a HANG on any kind, or a SKIP on all of them. Known failures and their reasons are in `exemptions.ts` for
 * all kinds and in `kinds.ts` for one.
 */
import { parseArgs } from "@std/cli/parse-args";
import { Appliance } from "../end_to_end/appliance.ts";
import { listTests, runTest, type Verdict } from "../end_to_end/iscsi_test_cu.ts";
import { findMissing } from "../support/tools.ts";
import { EXEMPTIONS } from "./exemptions.ts";
import { conformanceConf, type Kind, KINDS } from "./kinds.ts";
import { firstAssertion, judge, type KindVerdict, type TestResult } from "./verdicts.ts";

const NODE = "iqn.2002-08.info.netmanager";

const WORDS = { passed: "PASS", failed: "FAIL", skipped: "SKIP", hung: "HANG" } as const;

const args = parseArgs(Deno.args, {
  boolean: ["json"],
  string: ["only", "kind"],
  default: { only: "", kind: "" },
});
const kinds = KINDS.filter(({ name }) => args.kind === "" || name === args.kind);

Deno.exit(await main());

async function main(): Promise<number> {
  const missing = findMissing(["iscsi-test-cu"]);
  if (missing !== undefined) throw new Error(missing);
  const names = (await listTests()).filter((name) => name.includes(args.only));
  if (names.length === 0) throw new Error(`iscsi-test-cu has no test whose name contains "${args.only}"`);
  const verdicts = new Map<string, KindVerdict[]>(names.map((name) => [name, []]));
  const started = performance.now();
  using appliance = Appliance.create(conformanceConf(kinds));
  await using _server = await appliance.serve();
  for (const kind of kinds) {
    for (const name of names) {
      const verdict = await examine(kind, name, appliance);
      verdicts.get(name)!.push({ kind: kind.name, verdict });
      if (!args.json) report(kind.name, name, verdict);
    }
  }
  const results = names.map((name) => judge(name, verdicts.get(name)!, EXEMPTIONS[name]));
  const seconds = Math.round((performance.now() - started) / 1000);
  if (args.json) {
    console.log(JSON.stringify({ kinds: kinds.map(({ name }) => name), seconds, results }, null, 2));
  } else summarize(results, seconds);
  return results.every(({ passed }) => passed) ? 0 : 1;
}

async function examine({ name: target, unfit }: Kind, name: string, appliance: Appliance): Promise<Verdict> {
  if (unfit?.tests.some((start) => name.startsWith(start))) return { kind: "skipped", reason: unfit.reason };
  return await runTest(name, appliance.lunUrl(0, `${NODE}:${target}`));
}

function report(kind: string, name: string, { kind: outcome, reason }: Verdict): void {
  console.log(
    `${WORDS[outcome]}  ${kind.padEnd(12)}  ${name.padEnd(40)}  ${firstAssertion(reason)}`.trimEnd(),
  );
}

function summarize(results: readonly TestResult[], seconds: number): void {
  console.log(`\nOver all kinds (${kinds.map(({ name }) => name).join(", ")}), in ${seconds} s:`);
  for (const { name, passed, reason, exempt } of results) {
    if (!passed) console.log(`FAIL  ${name}: ${reason}`);
    else if (exempt) console.log(`EXEMPT  ${name}: ${reason}`);
  }
  const failed = results.filter(({ passed }) => !passed).length;
  const exempt = results.filter((result) => result.exempt).length;
  console.log(`${results.length} tests, of which ${exempt} are exempt for the reasons above`);
  console.log(`\n${results.length - failed - exempt} passed, ${failed} failed`);
}
