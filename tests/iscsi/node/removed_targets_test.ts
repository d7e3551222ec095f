import { assertEquals } from "@std/assert";
import { Limits } from "../../../lib/iscsi/limits.ts";
import { RemovedTargets } from "../../../lib/iscsi/node/removed_targets.ts";
import { configOf } from "../../provision/conf.ts";

type Names = Parameters<RemovedTargets["replace"]>[0];

/** Returns targets by their names, as a node serves them. */
function serving(...names: readonly string[]): Names {
  const { targets } = configOf(...names.flatMap((name) => [`[${name}]`, "size=1MB"]));
  return new Map(targets.map((config) => [config.name, { config }]));
}

function namesOf(removed: RemovedTargets): string[] {
  return [...removed].map(({ name }) => name);
}

Deno.test("replace() remembers what goes, and forgets what comes back", () => {
  const removed = new RemovedTargets();
  const [first, second] = [serving("a", "b"), serving("b", "c")];
  removed.replace(new Map(), first);
  assertEquals(namesOf(removed), []);
  removed.replace(first, second);
  assertEquals(removed.get("a"), first.get("a")!.config);
  assertEquals(removed.get("b"), undefined);
  removed.replace(second, new Map());
  assertEquals(namesOf(removed), ["a", "b", "c"]);
  removed.replace(new Map(), first);
  assertEquals(namesOf(removed), ["c"]);
});

Deno.test("replace() remembers a bounded number of targets: what went first is forgotten", () => {
  const removed = new RemovedTargets();
  const early = serving("early", "later");
  removed.replace(early, serving("later"));
  removed.replace(serving("later"), new Map());
  const many = serving(...Array.from({ length: Limits.removedTargets - 1 }, (_, index) => `t${index}`));
  removed.replace(many, new Map());
  assertEquals(removed.get("early"), undefined);
  assertEquals(removed.get("later")?.name, "later");
  assertEquals(namesOf(removed).length, Limits.removedTargets);
  removed.replace(serving("more"), new Map());
  assertEquals([removed.get("later"), removed.get("more")?.name], [undefined, "more"]);
});
