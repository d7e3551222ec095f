import { assert, assertEquals } from "@std/assert";
import { AbsentUnits, type ServedState } from "../../../lib/server/target/absent_units.ts";
import { FakeClock } from "../../support/fake_clock.ts";
import { until } from "../../support/until.ts";
import { KeptLog } from "../_serving.ts";

/** A logical unit whose file does not exist. */
class AbsentUnit {
  readonly path: string;
  problem: string | undefined;
  retries = 0;

  constructor(index: number) {
    this.path = `/none/${index}`;
    this.problem = "no such file";
  }

  retry(): void {
    this.retries++;
  }
}

/** A conf with a target for each unit, which counts how often a target of it is looked at. */
function confWith(
  units: readonly AbsentUnit[],
): { readonly state: ServedState; readonly looks: () => number } {
  let looks = 0;
  const targets = units.map((unit, index) => ({
    name: `t${index}`,
    get logicalUnits() {
      looks++;
      return [{ number: 0, path: unit.path, sizeBytes: 512, line: 1 }];
    },
  }));
  const served = targets.map((config, index) =>
    [config.name, { config, units: new Map([[0, units[index]]]) }] as const
  );
  const options = { backingLinks: new Map() };
  const state = { config: { targets }, targets: new Map(served), options } as unknown as ServedState;
  return { state, looks: () => looks };
}

Deno.test("AbsentUnits.retry() looks at the conf a few times, however many units are not ready", async () => {
  const units = Array.from({ length: 50 }, (_, index) => new AbsentUnit(index));
  const { state, looks } = confWith(units);
  const [log, clock] = [new KeptLog(), new FakeClock()];
  const absent = new AbsentUnits({ log, clock, state: () => state });
  absent.retry();
  assertEquals(log.lines.splice(0).length, 50);
  const before = looks();
  clock.advance(5_000);
  units[7]!.problem = undefined;
  units[8]!.problem = "it is busy";
  await until(() => units.every(({ retries }) => retries === 2), "all are retried");
  absent.end();
  const each = (looks() - before) / units.length;
  assert(each < 10, `each target was looked at ${each} times`);
  assertEquals(log.lines.map((line) => line.split(";")[0]).toSorted(), [
    "error: LUN 0 of [t8] is not served: it is busy",
    "info: LUN 0 of [t7] is served now",
  ]);
});

Deno.test("AbsentUnits.retrySoon() retries once for all requests", async () => {
  const unit = new AbsentUnit(0);
  const { state } = confWith([unit]);
  const absent = new AbsentUnits({ log: new KeptLog(), clock: new FakeClock(), state: () => state });
  for (let times = 0; times < 10; times++) absent.retrySoon();
  assertEquals(unit.retries, 0);
  await Promise.resolve();
  assertEquals(unit.retries, 1);
  absent.retrySoon();
  absent.end();
  await Promise.resolve();
  assertEquals(unit.retries, 1);
});
