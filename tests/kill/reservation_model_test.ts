import { assertEquals } from "@std/assert";
import { formatState, parseState, stepsOf } from "./_reservation_model.ts";

const ANNA = "000000000000a11a";
const BEN = "0000000000000be1";

Deno.test("parseState() reads what formatState() writes", () => {
  const states = [
    { keys: [], holder: undefined },
    { keys: [ANNA], holder: undefined },
    { keys: [BEN, ANNA], holder: ANNA },
  ];
  assertEquals(states.map((state) => parseState(formatState(state))), states);
  assertEquals(formatState(states[2]!), `${BEN}${ANNA}/${ANNA}0000000000060000`);
});

Deno.test("stepsOf() lets an initiator that is not registered register, and nothing else", () => {
  const [step, ...others] = stepsOf({ keys: [BEN], holder: BEN }, ANNA);
  assertEquals([step?.action, step?.next.keys, others.length], ["registerAndIgnore", [BEN, ANNA], 0]);
});

Deno.test("stepsOf() gives the reservation of a preempted holder to the one who preempts", () => {
  const steps = stepsOf({ keys: [ANNA, BEN], holder: BEN }, ANNA);
  assertEquals(steps.map(({ action }) => action), ["clear", "preempt"]);
  assertEquals(steps[1]?.next, { keys: [ANNA], holder: ANNA });
});

Deno.test("stepsOf() reserves what is free and releases what is held", () => {
  const actionsOf = (holder: string | undefined): string[] =>
    stepsOf({ keys: [ANNA], holder }, ANNA).map(({ action }) => action);
  assertEquals([actionsOf(undefined), actionsOf(ANNA)], [["clear", "reserve"], ["clear", "release"]]);
});
