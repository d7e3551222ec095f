import { assertEquals } from "@std/assert";
import { type RunnerOptions, runScenarios, selectScenarios, type Totals } from "./runner.ts";
import { CannotRun, type Context, type Scenario } from "./scenario.ts";
import { SCENARIOS } from "./scenarios.ts";

/** Returns a scenario that does nothing but this. */
function scenario(run: (context: Context) => Promise<void>, parts: Partial<Scenario> = {}): Scenario {
  return { name: "peer-login", proves: "A peer logs in", needs: [], limitSeconds: 60, run, ...parts };
}

/** Runs scenarios and returns their lines, with the seconds replaced. */
async function run(
  scenarios: readonly Scenario[],
  options: Partial<RunnerOptions> = {},
): Promise<{ totals: Totals; lines: string[] }> {
  const lines: string[] = [];
  const print = (line: string): void => void lines.push(line.replace(/\(\d+ s\)/, "(N s)"));
  return { totals: await runScenarios(scenarios, { isCi: false, print, ...options }), lines };
}

Deno.test("runScenarios() reports each scenario in a line", async () => {
  const { totals, lines } = await run([
    scenario(() => Promise.resolve()),
    scenario(() => Promise.reject(new Error("no disk\nin 30 s"))),
    scenario(() => Promise.reject(new CannotRun("not root"))),
  ]);
  assertEquals(totals, { passed: 1, failed: 1, skipped: 1 });
  assertEquals(lines, [
    "ok  peer-login (N s): A peer logs in",
    "FAILED  peer-login (N s): A peer logs in\n    Error: no disk\n    in 30 s",
    "skipped  peer-login: cannot run here: not root",
  ]);
});

Deno.test("selectScenarios() leaves out what runs on request, unless a pattern matches its name", () => {
  const always = scenario(() => Promise.resolve(), { name: "box-always" });
  const late = scenario(() => Promise.resolve(), { name: "box-late", onRequest: "it takes minutes" });
  assertEquals(selectScenarios([always, late], undefined), { wanted: [always], leftOut: [late] });
  assertEquals(selectScenarios([always, late], /late/), { wanted: [late], leftOut: [] });
});

Deno.test("runScenarios() counts a scenario that cannot run as failed under CI", async () => {
  const { totals, lines } = await run([scenario(() => Promise.reject(new CannotRun("not root")))], {
    isCi: true,
  });
  assertEquals(totals, { passed: 0, failed: 1, skipped: 0 });
  assertEquals(lines, ["FAILED  peer-login (N s): A peer logs in\n    cannot run here: not root"]);
});

Deno.test("runScenarios() abandons a scenario at its limit and disposes of what it holds", async () => {
  const disposed: string[] = [];
  const { totals, lines } = await run([
    scenario((context) => {
      context.use({ [Symbol.dispose]: () => void disposed.push(context.folder) });
      return new Promise(() => {});
    }, { limitSeconds: 0.01 }),
  ]);
  assertEquals(totals, { passed: 0, failed: 1, skipped: 0 });
  assertEquals(lines, [
    "FAILED  peer-login (N s): A peer logs in\n    Error: not finished within 0.01 s",
  ]);
  assertEquals(disposed.length, 1);
});

Deno.test("runScenarios() keeps shared things until a scenario fails", async () => {
  const events: string[] = [];
  const make = (): Promise<AsyncDisposable> => {
    events.push("make");
    return Promise.resolve({
      [Symbol.asyncDispose]: (): Promise<void> => {
        events.push("drop");
        return Promise.resolve();
      },
    });
  };
  const sharing = scenario(async ({ shared }) => void await shared.get("guest", make));
  await run([sharing, sharing, scenario(() => Promise.reject(new Error("lost"))), sharing]);
  assertEquals(events, ["make", "drop", "make", "drop"]);
});

Deno.test("runScenarios() tries once to make a shared thing that this machine cannot have", async () => {
  let attempts = 0;
  const sharing = scenario(async ({ shared }) => {
    await shared.get("guest", () => Promise.reject(new CannotRun(`attempt ${++attempts}`)));
  });
  const { totals } = await run([sharing, sharing]);
  assertEquals([totals, attempts], [{ passed: 0, failed: 0, skipped: 2 }, 1]);
});

Deno.test("SCENARIOS have different names, and claims of one sentence", () => {
  assertEquals(new Set(SCENARIOS.map(({ name }) => name)).size, SCENARIOS.length);
  for (const { name, proves } of SCENARIOS) {
    assertEquals(/^[a-z][a-z0-9-]+$/.test(name), true, name);
    assertEquals(/^[A-Z].*[^.]$/.test(proves) && proves.length <= 90, true, proves);
  }
});
