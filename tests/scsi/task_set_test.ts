/** The order in which commands of a task set begin (SAM-5, 8). */
import { assert, assertEquals } from "@std/assert";
import { TaskAttribute } from "../../lib/scsi/task_attribute.ts";
import { EnabledTasks, TaskSet } from "../../lib/scsi/task_set.ts";
import { numberFromEnvironment, Random } from "../support/seeded_random.ts";
import { FakeTask } from "./fixture.ts";

const { simple, ordered, headOfQueue } = TaskAttribute;

/** A command that is submitted to a task set, as a nexus would do it. */
class Command {
  readonly task: FakeTask;
  readonly nexus: EnabledTasks;
  readonly set: TaskSet;
  hasBegun = false;

  constructor(set: TaskSet, nexus: EnabledTasks, attribute: TaskAttribute) {
    this.task = new FakeTask(attribute);
    this.set = set;
    this.nexus = nexus;
    if (set.admits(nexus, attribute)) {
      this.hasBegun = true;
      set.enter(nexus, this.task);
    } else set.wait(nexus, this.task).then(() => this.hasBegun = true);
  }

  leave(settled?: Promise<unknown>): void {
    this.set.leave(this.nexus, this.task, settled);
  }
}

/** A task set, with rules that a test may change. */
class Bench {
  isPerNexus = false;
  answersAtOnce = false;
  readonly set = new TaskSet({ isPerNexus: () => this.isPerNexus, answersAtOnce: () => this.answersAtOnce });
  readonly nexuses = [new EnabledTasks(), new EnabledTasks()];

  command(attribute: TaskAttribute, nexus = 0): Command {
    return new Command(this.set, this.nexuses[nexus]!, attribute);
  }
}

async function begunOf(...commands: readonly Command[]): Promise<boolean[]> {
  await Promise.resolve();
  return commands.map(({ hasBegun }) => hasBegun);
}

Deno.test("TaskSet lets any number of SIMPLE commands begin at once", async () => {
  const bench = new Bench();
  const commands = [bench.command(simple), bench.command(simple, 1), bench.command(simple)];
  assertEquals(await begunOf(...commands), [true, true, true]);
  assertEquals(bench.set.restricting, 0);
});

Deno.test("TaskSet makes ORDERED wait for every older command, and younger ones for it", async () => {
  const bench = new Bench();
  const older = [bench.command(simple), bench.command(simple, 1)];
  const second = bench.command(ordered);
  const younger = [bench.command(simple), bench.command(ordered, 1), bench.command(simple, 1)];
  const all = [second, ...younger];
  assertEquals(await begunOf(...all), [false, false, false, false]);
  older[0]!.leave();
  assertEquals(await begunOf(...all), [false, false, false, false]);
  older[1]!.leave();
  assertEquals(await begunOf(...all), [true, false, false, false]);
  second.leave();
  assertEquals(await begunOf(...all), [true, true, false, false]);
  younger[0]!.leave();
  assertEquals(await begunOf(...all), [true, true, true, false]);
  younger[1]!.leave();
  assertEquals(await begunOf(...all), [true, true, true, true]);
  younger[2]!.leave();
  assertEquals(bench.set.restricting, 0);
});

Deno.test("TaskSet lets ORDERED begin at once if nothing is older, and delays what follows", async () => {
  const bench = new Bench();
  const first = bench.command(ordered);
  const next = bench.command(simple);
  assertEquals([await begunOf(first, next), bench.set.restricting], [[true, false], 2]);
  first.leave();
  assertEquals([await begunOf(next), bench.set.restricting], [[true], 0]);
});

Deno.test("TaskSet makes HEAD OF QUEUE wait for nothing, and all others for it", async () => {
  const bench = new Bench();
  const first = bench.command(simple);
  const second = bench.command(ordered);
  const heads = [bench.command(headOfQueue), bench.command(headOfQueue, 1)];
  const last = bench.command(simple);
  assertEquals(await begunOf(first, second, ...heads, last), [true, false, true, true, false]);
  first.leave();
  heads[0]!.leave();
  assertEquals(await begunOf(second, last), [false, false]);
  heads[1]!.leave();
  assertEquals(await begunOf(second, last), [true, false]);
  second.leave();
  assertEquals(await begunOf(last), [true]);
});

Deno.test("TaskSet of each nexus does not affect others, and follows TST while commands wait", async () => {
  const bench = new Bench();
  const mine = bench.command(simple);
  const theirs = bench.command(ordered, 1);
  assertEquals(await begunOf(theirs), [false]);
  bench.isPerNexus = true;
  bench.set.serve();
  assertEquals(await begunOf(theirs), [true]);
  const [second, third] = [bench.command(ordered), bench.command(simple)];
  const fourth = bench.command(simple, 1);
  assertEquals(await begunOf(second, third, fourth), [false, false, false]);
  theirs.leave();
  assertEquals(await begunOf(second, third, fourth), [false, false, true]);
  bench.isPerNexus = false;
  mine.leave();
  assertEquals(
    await begunOf(second, third),
    [false, false],
    "one set for all again, and the other's is older",
  );
  fourth.leave();
  assertEquals(await begunOf(second, third), [true, false]);
});

Deno.test("TaskSet removes a command that leaves while it waits, and serves those behind it", async () => {
  const bench = new Bench();
  const first = bench.command(simple);
  const second = bench.command(ordered);
  const third = bench.command(simple);
  second.leave();
  assertEquals(await begunOf(second, third), [false, true]);
  first.leave();
  third.leave();
  assertEquals([second.hasBegun, bench.set.restricting, bench.set.admits(bench.nexuses[0]!, ordered)], [
    false,
    0,
    true,
  ]);
});

Deno.test("TaskSet makes others wait until an aborted command cannot change the medium further", async () => {
  const bench = new Bench();
  const first = bench.command(simple);
  const second = bench.command(ordered);
  const { promise, resolve } = Promise.withResolvers<void>();
  first.leave(promise);
  assertEquals(await begunOf(second), [false]);
  const third = bench.command(ordered, 1);
  second.leave();
  assertEquals(await begunOf(third), [false], "what came after the abort waits, too");
  resolve();
  await promise;
  assertEquals(await begunOf(third), [true]);
});

Deno.test("TaskSet lets no command begin while several are being removed", async () => {
  const bench = new Bench();
  const first = bench.command(ordered);
  const [second, third] = [bench.command(simple), bench.command(simple, 1)];
  bench.set.whileHeld(() => {
    bench.set.whileHeld(() => first.leave());
    second.leave();
  });
  assertEquals(await begunOf(second, third), [false, true]);
  const fourth = bench.command(ordered);
  bench.set.whileHeld(() => third.leave());
  assertEquals(await begunOf(fourth), [true]);
});

Deno.test("TaskSet makes no command wait while every command is answered at once", async () => {
  const bench = new Bench();
  bench.command(simple);
  const waiting = [bench.command(ordered), bench.command(simple)];
  bench.answersAtOnce = true;
  assertEquals(await begunOf(bench.command(ordered)), [true]);
  bench.set.serve();
  assertEquals(await begunOf(...waiting), [true, true]);
});

/** Reports whether SAM-5, 8.6 lets a command begin, given all the others. */
function mayBegin(command: Command, others: readonly Command[], isPerNexus: boolean): boolean {
  const { attribute } = command.task;
  if (attribute === headOfQueue) return true;
  const inSet = others.filter(({ nexus }) => !isPerNexus || nexus === command.nexus);
  const older = inSet.slice(0, inSet.indexOf(command));
  const heads = inSet.filter(({ task, hasBegun }) => task.attribute === headOfQueue && hasBegun);
  if (heads.length > 0) return false;
  return attribute === ordered ? older.length === 0 : !older.some(({ task }) => task.attribute === ordered);
}

const SEED = numberFromEnvironment("FUZZ_SEED", 20070101);

for (const isPerNexus of [false, true]) {
  const whose = isPerNexus ? "each nexus" : "all nexuses";
  Deno.test(`TaskSet of ${whose} lets exactly the commands begin that SAM-5 allows (FUZZ_SEED=${SEED})`, async () => {
    const random = new Random(SEED);
    const bench = new Bench();
    bench.isPerNexus = isPerNexus;
    /** The commands in the task set, in the order of their arrival. */
    let present: Command[] = [];
    let begunInTurn = 0;
    for (let step = 0; step < 3000; step++) {
      const isArrival = present.length < 12 && random.oneIn(2);
      if (isArrival) {
        const command = bench.command(random.pick([simple, simple, ordered, headOfQueue]), random.below(2));
        const isAllowed = mayBegin(command, [...present, command], isPerNexus);
        assertEquals(command.hasBegun, isAllowed, `FUZZ_SEED=${SEED}, step ${step}`);
        present.push(command);
      } else if (present.length > 0) {
        const leaving = random.pick(present);
        const waiting = present.filter((command) => command !== leaving && !command.hasBegun);
        present = present.filter((command) => command !== leaving);
        leaving.leave();
        await Promise.resolve();
        begunInTurn += waiting.filter(({ hasBegun }) => hasBegun).length;
        for (const command of waiting) {
          const wasAllowed = mayBegin(command, present, isPerNexus);
          assertEquals(command.hasBegun, wasAllowed, `FUZZ_SEED=${SEED}, step ${step}`);
        }
      }
      const restricting = present.filter(({ task, hasBegun }) => !hasBegun || task.attribute !== simple);
      assertEquals(bench.set.restricting, restricting.length, `FUZZ_SEED=${SEED}, step ${step}`);
    }
    assert(begunInTurn > 50, "hardly anything ever waited");
  });
}

Deno.test("TaskSet looks at one dormant command when another ends, however many there are", () => {
  for (const isPerNexus of [false, true]) {
    const looks = [10, 1_000].map((count) => {
      const bench = new Bench();
      bench.isPerNexus = isPerNexus;
      const running = [bench.command(ordered), bench.command(ordered, 1)];
      let looks = 0;
      for (let index = 0; index < count; index++) {
        const { task } = bench.command(ordered, index % 2);
        const { attribute } = task;
        Object.defineProperty(task, "attribute", { get: () => (looks++, attribute) });
      }
      running[0]!.leave();
      return looks;
    });
    assertEquals(looks[0], looks[1]);
  }
});
