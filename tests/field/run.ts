/**
 * Runs initiators that others wrote against the program from source, or the compiled file that `ISCSI_BINARY` names:
 * `deno task field --only linux`. Prints a line for each scenario, and the totals; ends with exit code 1 when one
 * failed. Under CI a scenario that cannot run here counts as failed.
 */
import { checkPattern, readOptions } from "../bench/options.ts";
import { runScenarios, selectScenarios } from "./runner.ts";
import { SCENARIOS } from "./scenarios.ts";

const OPTIONS = {
  only: { value: "PATTERN", default: "", help: "run the scenarios with such names", check: checkPattern },
  list: { help: "print the scenarios and run none" },
} as const;

async function main(): Promise<number> {
  const options = readOptions("deno task field [OPTIONS]", OPTIONS);
  const pattern = options.only === "" ? undefined : new RegExp(options.only, "i");
  const { wanted, leftOut } = selectScenarios(SCENARIOS, pattern);
  if (options.list) {
    for (const { name, proves } of [...wanted, ...leftOut]) console.log(`${name}: ${proves}`);
    return 0;
  }
  if (wanted.length === 0) {
    console.error(`No scenario has a name like "${options.only}"; --list prints them`);
    return 2;
  }
  const isCi = Deno.env.get("CI") !== undefined;
  const { passed, failed, skipped } = await runScenarios(wanted, { isCi, print: console.log });
  for (const { name, onRequest } of leftOut) {
    console.log(`left out  ${name}: ${onRequest}; --only ${name} runs it`);
  }
  if (skipped > 0) console.log(`\n${skipped} cannot run here`);
  console.log(`\n${passed} passed, ${failed} failed`);
  return failed > 0 ? 1 : 0;
}

Deno.exit(await main());
