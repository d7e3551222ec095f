/** A server of several ports when something goes wrong at one of them, or at a bad moment. */
import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { reservationsFileOf, workerPlaceOf } from "../../../lib/provision/state_folder.ts";
import { SupervisorLimits } from "../../../lib/server/port/supervisor_limits.ts";
import { systemClock } from "../../../lib/server/system.ts";
import { WorkerPulse } from "../../../lib/server/port/worker_pulse.ts";
import { testUnitReady } from "../../support/initiator_cdb.ts";
import { freePort } from "../../support/server_process.ts";
import { until, untilAsked } from "../../support/until.ts";
import { LOOPBACK, pathOf } from "../_serving.ts";
import {
  AddressClock,
  clockWith,
  crash,
  logIn,
  QUICK_CLOCK,
  servingOf,
  SilenceClock,
  testThatLeavesLocks,
} from "./_supervised.ts";
import {
  assertGood,
  atPorts,
  connect,
  register,
  type TwoPorts,
  untilReady,
  withGate,
  withHangingPort,
  withTwoPorts,
} from "./_two_ports.ts";

/** Returns the same with another comment at each target. */
function commented({ serving }: TwoPorts, comment: string): TwoPorts["serving"] {
  const { config } = serving;
  return {
    ...serving,
    config: { ...config, targets: config.targets.map((target) => ({ ...target, comment })) },
  };
}

/** Waits until every worker serves the conf with this comment. */
function untilCommented({ running: { supervisor } }: TwoPorts, comment: string): Promise<void> {
  return untilAsked(async () => {
    const { targets } = await supervisor.requests.snapshot();
    return targets.length === 2 && targets.every((target) => target.comment === comment);
  }, "all workers serve it");
}

/** Crashes the worker of a port until no other is started. */
async function crashForGood({ running, workers }: TwoPorts, port: number): Promise<void> {
  const stateOf = (): string | undefined =>
    running.supervisor.workers.find((worker) => worker.port === port)?.state;
  for (let ends = 1; ends <= 5; ends++) {
    await until(() => stateOf() === "running" && workers.of(port).length === ends, "it runs");
    crash(workers.of(port).at(-1)!);
    await until(() => stateOf() !== "running" || workers.of(port).length > ends, "it ends");
  }
  await until(() => stateOf() === "failed", "no other is started");
}

Deno.test("a conf that arrives while a worker is restarted is served by the next one", () =>
  withTwoPorts(async (two) => {
    const { running, workers, ports } = two;
    const { promise, resolve } = Promise.withResolvers<void>();
    workers.onStart = () => {
      workers.onStart = () => {};
      running.supervisor.reconfigure(commented(two, "late")).then(() => resolve());
    };
    crash(workers.at(ports[0]));
    await promise;
    await until(() => running.readyCount() === 2, "it is ready again");
    await untilCommented(two, "late");
  }));

Deno.test("a check of addresses does not lose the conf that a hanging worker has to follow", async () => {
  const clock = new AddressClock();
  let interfaces = [LOOPBACK];
  await withHangingPort(async (two, { release, untilNoticed }) => {
    const { supervisor } = two.running;
    await untilNoticed();
    await supervisor.reconfigure(commented(two, "late"));
    interfaces = [LOOPBACK, { ...LOOPBACK, address: "127.0.0.2", octets: [127, 0, 0, 2] }];
    clock.checkAddresses();
    clock.checkAddresses();
    release();
    await untilCommented(two, "late");
  }, { clock, interfaces: () => interfaces });
});

Deno.test("a target that arrives at a worker that hangs delays no reload", () =>
  withGate(async (two, { hang, release, untilNoticed }) => {
    const { served, serving, running: { supervisor }, ports } = two;
    const initiator = await logIn(served, ports[1], { target: 1 });
    const moved = { ...serving, config: atPorts(served.config, [ports[0], ports[0]]) };
    await supervisor.reconfigure(moved);
    await hang();
    await initiator.logout();
    await initiator.close();
    const targets = moved.config.targets.map((target) => ({ ...target, comment: "late" }));
    const reloaded = supervisor.reconfigure({ ...moved, config: { ...moved.config, targets } });
    await untilNoticed();
    await reloaded;
    assertEquals(supervisor.workers[0]!.state, "hanging");
    release();
    await untilCommented(two, "late");
    await using found = await connect(ports[0], "found", served, 1);
    await untilReady(found);
  }));

Deno.test("a worker without targets may hang: it stays until it answers", () => {
  const delays: readonly number[] = [SupervisorLimits.retirementCheckMs];
  const clock = clockWith((delayMs) => delays.includes(delayMs) ? 10 : delayMs);
  return withHangingPort(async (two, { untilNoticed, release, leave }) => {
    const { served, serving, running: { supervisor }, ports } = two;
    await untilNoticed();
    await supervisor.reconfigure({ ...serving, config: atPorts(served.config, [ports[1], ports[1]]) });
    await using calm = await logIn(served, ports[1], { target: 1 });
    for (let round = 0; round < 30; round++) {
      await assertGood(calm);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    assertEquals(supervisor.workers.map(({ state }) => state), ["hanging", "running"]);
    await leave();
    release();
    await using found = await connect(ports[1], "found", served, 0);
    await untilReady(found);
  }, { clock });
});

/** Listens at a port, which the worker that has ended may still have for a moment. */
async function untilListening(port: number): Promise<Deno.Listener> {
  let listener: Deno.Listener | undefined;
  await untilAsked(() => {
    try {
      listener = Deno.listen({ hostname: "127.0.0.1", port });
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
    return Promise.resolve(listener !== undefined);
  }, "the port is free");
  return listener!;
}

Deno.test("a port that has failed does not prevent a reload, which tries it again", () =>
  withTwoPorts(async (two) => {
    const { served, serving, running, ports } = two;
    await using calm = await logIn(served, ports[1], { target: 1 });
    await crashForGood(two, ports[0]);
    const other = await untilListening(ports[0]);
    await running.supervisor.reconfigure(commented(two, "new"));
    await until(
      () => running.log.lines.filter((line) => line.includes("is not served")).length === 2,
      "it has failed again",
    );
    other.close();
    await assertGood(calm);
    await running.supervisor.reconfigure(serving);
    await until(() => running.supervisor.workers.every(({ state }) => state === "running"), "it is served");
    await using again = await logIn(served, ports[0]);
    await assertGood(again);
  }));

Deno.test("a target that moves to and fro is served where the conf has it", () =>
  withTwoPorts(async ({ served, serving, running: { supervisor }, ports }) => {
    await using initiator = await logIn(served, ports[1], { target: 1 });
    for (const port of [ports[0], ports[1], ports[0], ports[1], ports[0]]) {
      await supervisor.reconfigure({ ...serving, config: atPorts(served.config, [ports[0], port]) });
    }
    await initiator.logout();
    await using found = await connect(ports[0], "found", served, 1);
    await untilReady(found);
    await supervisor.reconfigure(serving);
    await found.logout();
    await using back = await connect(ports[1], "back", served, 1);
    await untilReady(back);
    assertEquals((await supervisor.requests.snapshot()).problems, []);
  }));

Deno.test("a server that is about to end adds no port", () =>
  withTwoPorts(async ({ served, serving, running }) => {
    running.stop();
    await assertRejects(
      () =>
        running.supervisor.reconfigure({
          ...serving,
          config: atPorts(served.config, [freePort(), freePort()]),
        }),
      Error,
      "the server is about to end",
    );
    assertEquals(await running.ended, undefined);
  }));

testThatLeavesLocks(
  "a worker that hangs from the start delays neither the start of a server nor a reload",
  () => {
    const clock = new SilenceClock(QUICK_CLOCK);
    return withTwoPorts(async ({ served, serving, running: { supervisor }, ports }) => {
      assertEquals(supervisor.workers.map(({ state }) => state), ["hanging", "running"]);
      await using calm = await logIn(served, ports[1], { target: 1 });
      const targets = served.config.targets.map((target) => ({ ...target, comment: "new" }));
      await supervisor.reconfigure({ ...serving, config: { ...served.config, targets } });
      await assertGood(calm);
    }, {
      programs: ["./_deaf_worker.ts"],
      clock,
      wait: async (running) => {
        await until(() => running.supervisor.workers[1]?.state === "running", "the other worker serves");
        await clock.untilHanging(running, SupervisorLimits.startSilenceMs);
        await until(() => running.readyCount() > 0, "it is ready");
      },
    });
  },
);

testThatLeavesLocks(
  "the files of a lost worker are not opened again, and its folder is not released",
  async () => {
    const released: string[] = [];
    await withTwoPorts(async ({ served, serving, running, workers, ports }) => {
      const { supervisor } = running;
      // The worker dies without reporting that nothing is under way.
      workers.at(ports[0]).dispatchEvent(new ErrorEvent("error", { message: "it is gone" }));
      await until(() => supervisor.workers.some(({ state }) => state === "failed"), "it is lost");
      const config = atPorts(served.config, [ports[1], ports[1]]);
      await supervisor.reconfigure({ ...serving, config });
      await supervisor.reconfigure({ ...serving, config: { ...config } });
      const [problem] = (await supervisor.requests.snapshot()).problems;
      assertStringIncludes(problem!.reason, `"${pathOf(served, "a")}" is still open at the port`);
      await supervisor.reconfigure(serving);
      assertEquals(supervisor.workers.map(({ state }) => state), ["running", "failed"]);
      const lease = { ...servingOf(served).lease, end: () => Promise.resolve(void released.push("next")) };
      await supervisor.replace({ ...serving, lease });
      running.stop();
      await running.ended;
    }, {
      onLeaseEnd: () => void released.push("first"),
    });
    assertEquals(released, []);
  },
);

Deno.test("a server is not replaced while one of its workers hangs", () =>
  withHangingPort(async ({ serving, served, running: { supervisor }, ports }, { untilNoticed }) => {
    await untilNoticed();
    await using calm = await logIn(served, ports[1], { target: 1 });
    await assertRejects(
      () => supervisor.replace(serving),
      Error,
      `the target worker at port ${ports[0]} cannot end: an operation on`,
    );
    await assertGood(calm);
  }));

Deno.test("WorkerPulse measures a silence that ends when the worker is ready", async () => {
  let nowMs = 0;
  const answers: number[] = [];
  let answer = (): void => {};
  const ping = (): Promise<void> => new Promise((resolve) => answer = resolve);
  const clock = { ...systemClock, monotonicMs: () => nowMs };
  const pulse = new WorkerPulse(ping, clock, { onSilent: () => {}, onAnswer: (ms) => answers.push(ms) });
  pulse.check();
  nowMs = SupervisorLimits.startSilenceMs;
  pulse.check();
  pulse.noteReady();
  assertEquals(pulse.silentMs, SupervisorLimits.startSilenceMs);
  answer();
  await pulse.untilSilent();
  await until(() => answers.length > 0, "it answers");
  assertEquals([answers, pulse.isSilent], [[SupervisorLimits.startSilenceMs], false]);
});

Deno.test("a reload that one port cannot follow changes nothing at the others", () =>
  withTwoPorts(async (two) => {
    const { served, serving, running: { supervisor } } = two;
    for (const broken of [0, 1]) {
      const targets = commented(two, "new").config.targets.map((target, index) =>
        index === broken
          ? {
            ...target,
            logicalUnits: target.logicalUnits.map((unit) => ({ ...unit, path: `${unit.path}.gone` })),
          }
          : target
      );
      const next = { ...serving, config: { ...served.config, targets } };
      await assertRejects(() => supervisor.reconfigure(next), Error, ".gone");
      assertEquals(supervisor.serving, serving);
      const { targets: present, problems } = await supervisor.requests.snapshot();
      assertEquals(
        present.map(({ comment }) => comment),
        served.config.targets.map(({ comment }) => comment),
      );
      assertEquals(problems, []);
    }
  }));

Deno.test("a target whose state cannot be moved waits, and is served at the next reload", () =>
  withTwoPorts(async ({ served, serving, running: { supervisor, log }, ports }) => {
    const { naa } = served.identities.get(pathOf(served, "b"))!;
    const initiator = await logIn(served, ports[1], { target: 1 });
    await register(initiator);
    const obstacle = reservationsFileOf(workerPlaceOf(served.config.storage), naa);
    Deno.mkdirSync(obstacle);
    const next = { ...serving, config: atPorts(served.config, [ports[0], ports[0]]) };
    await supervisor.reconfigure(next);
    await initiator.logout();
    await initiator.close();
    const warnings = (): number =>
      log.lines.filter((line) => /LUN 0 of \[b\] is not served: Cannot (move|replace)/.test(line)).length;
    await until(() => warnings() > 0, "it cannot be served");
    await using waiting = await connect(ports[0], "waiting", served, 1);
    for (let round = 0; round < 10; round++) await waiting.command({ cdb: testUnitReady() });
    assertEquals(warnings(), 1);
    Deno.removeSync(obstacle);
    await supervisor.reconfigure(next);
    await untilReady(waiting);
    assertEquals((await supervisor.requests.reservations()).length, 1);
  }));

Deno.test("a target arrives although the worker that had it crashes", () =>
  withTwoPorts(async ({ served, serving, running: { supervisor }, workers, ports }) => {
    await using initiator = await logIn(served, ports[1], { target: 1 });
    await supervisor.reconfigure({ ...serving, config: atPorts(served.config, [ports[0], ports[0]]) });
    crash(workers.at(ports[1]));
    await initiator.receiveEnd();
    await using found = await connect(ports[0], "found", served, 1);
    await untilReady(found);
  }));
