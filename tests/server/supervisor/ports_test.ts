/** A server with a worker for each of its ports: real workers, under their real rights. */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { reservationsFileOf, workerPlaceOf } from "../../../lib/provision/state_folder.ts";
import { withScratch } from "../../provision/scratch.ts";
import { pattern } from "../../support/content.ts";
import { Initiator } from "../../support/initiator.ts";
import { read10, testUnitReady, write10 } from "../../support/initiator_cdb.ts";
import { LoginRefused } from "../../support/initiator_login.ts";
import { ScsiStatus } from "../../support/initiator_sense.ts";
import { freePort } from "../../support/server_process.ts";
import { until, untilAsked } from "../../support/until.ts";
import { makeServed, pathOf } from "../_serving.ts";
import { crash, logIn, servingOf, start, testThatLeavesLocks, untilServing } from "./_supervised.ts";
import {
  assertGood,
  atPorts,
  connect,
  exists,
  register,
  untilReady,
  withHangingPort,
  withTwoPorts,
} from "./_two_ports.ts";

/** The status of a login that is redirected temporarily (RFC 7143, 11.13.5). */
const MOVED_TEMPORARILY = 0x0101;

Deno.test("each port lists all targets with their ports, and redirects to them", () =>
  withTwoPorts(async ({ served, running, ports }) => {
    assertEquals(running.supervisor.portals, ports.map((port) => `127.0.0.1:${port}`));
    const names = served.config.targets.map(({ iscsiName }) => iscsiName);
    for (const port of ports) {
      await using discovery = await Initiator.connect(port);
      await discovery.login();
      assertEquals(
        (await discovery.sendTargets()).toSorted((x, y) => x.name.localeCompare(y.name)),
        names.map((name, index) => ({ name, addresses: [`127.0.0.1:${ports[index]},1`] })),
      );
    }
    for (const target of [0, 1]) {
      const refusal = await assertRejects(
        () => connect(ports[1 - target]!, "x", served, target),
        LoginRefused,
      );
      assertEquals(refusal.status, MOVED_TEMPORARILY);
      const address = new TextDecoder().decode(refusal.pdu.data);
      assertStringIncludes(address, `TargetAddress=127.0.0.1:${ports[target]}`);
      await using initiator = await logIn(served, ports[target]!, { target });
      await initiator.command({ cdb: write10(0, 8), write: pattern(4096, target + 1) });
      const { data } = await initiator.command({ cdb: read10(0, 8), read: 4096 });
      assertEquals(data, pattern(4096, target + 1));
      await initiator.logout();
    }
  }));

Deno.test("a port that redirects asks for the secret of the target, and refuses like any other", () =>
  withScratch(async (folder) => {
    const made = makeServed(folder);
    const ports = [freePort(), freePort()] as const;
    const config = atPorts(made.config, ports);
    const targets = config.targets.map((target) => ({ ...target, initiators: ["iqn.2000-01.test:friend"] }));
    const served = { ...made, config: { ...config, targets } };
    const running = start(served);
    await untilServing(running);
    const refused = async (name: string, target: number): Promise<number> =>
      (await assertRejects(() => connect(ports[0], name, served, target), LoginRefused)).status;
    assertEquals(await refused("stranger", 1), await refused("stranger", 0));
    assertEquals(await refused("friend", 1), MOVED_TEMPORARILY);
    running.stop();
    assertEquals(await running.ended, undefined);
  }));

Deno.test("a worker that crashes disturbs no session of another port", () =>
  withTwoPorts(async ({ served, running, workers, ports }) => {
    await using calm = await logIn(served, ports[1], { target: 1 });
    crash(workers.at(ports[0]));
    await until(() => workers.started.length === 3, "another worker is started");
    await assertGood(calm);
    await until(() => running.readyCount() === 2, "both are ready again");
    await using again = await logIn(served, ports[0]);
    await assertGood(again);
    await assertGood(calm);
    assertEquals(running.supervisor.workerStarts, 3);
    assertEquals((await running.supervisor.requests.snapshot()).sessions.length, 2);
  }));

Deno.test("a worker that hangs is reported with its disk, and everything else goes on", () =>
  withHangingPort(async ({ served, serving, running, ports }, { release, untilNoticed }) => {
    const { supervisor } = running;
    await using calm = await logIn(served, ports[1], { target: 1 });
    await untilNoticed();
    const blockage = `an operation on "${pathOf(served, "a")}" blocks it`;
    assertEquals(supervisor.workers.map(({ port, state, reason }) => [port, state, reason]), [
      [ports[0], "hanging", blockage],
      [ports[1], "running", null],
    ]);
    assertStringIncludes(
      running.log.lines.join("\n"),
      `error: Target worker at port ${ports[0]} does not answer: ${blockage}`,
    );
    await assertGood(calm);
    const { sessions } = await supervisor.requests.snapshot();
    assertEquals(sessions.map(({ targetName }) => targetName), [served.config.targets[1]!.iscsiName]);
    // A reload changes what answers, and the rest follows.
    const targets = served.config.targets.map((target) => ({ ...target, comment: "changed" }));
    const config = { ...served.config, targets };
    assertEquals((await supervisor.reconfigure({ ...serving, config })).length, 2);
    assertEquals((await supervisor.requests.snapshot()).targets.map(({ comment }) => comment), ["changed"]);
    assertEquals(
      await supervisor.requests.disconnect({ sessions: [sessions[0]!.tsih], graceSeconds: null }),
      [
        sessions[0]!.tsih,
      ],
    );
    release();
    await until(() => supervisor.workers[0]!.state === "running", "it answers again");
    await untilAsked(async () => {
      const { targets } = await supervisor.requests.snapshot();
      return targets.length === 2 && targets.every(({ comment }) => comment === "changed");
    }, "it has followed the reload");
    assertStringIncludes(running.log.lines.join("\n"), `port ${ports[0]} answers again, after `);
  }));

testThatLeavesLocks("a server ends in time while one of its workers hangs", async () => {
  await withHangingPort(async ({ served, running, ports }) => {
    await using calm = await logIn(served, ports[1], { target: 1 });
    running.stop();
    assertStringIncludes((await running.ended)!, "target worker has not ended");
    await calm.receiveEnd();
  });
});

Deno.test("a target that moves to another port takes its state, and its initiator finds it", () =>
  withTwoPorts(async ({ served, serving, running, ports }) => {
    const { supervisor } = running;
    const { config, identities } = served;
    const { naa } = identities.get(pathOf(served, "b"))!;
    const main = workerPlaceOf(config.storage);
    const other = workerPlaceOf(config.storage, ports[1]);
    const initiator = await logIn(served, ports[1], { target: 1 });
    await register(initiator);
    assert(exists(reservationsFileOf(other, naa)), "the second worker has a folder of its own");
    const next = { ...serving, config: atPorts(config, [ports[0], ports[0]]) };
    const [change, ...more] = await supervisor.reconfigure(next);
    assertEquals([change!.description, change!.sessions.length, more], [
      `set port of [b] from ${ports[1]} to ${ports[0]}`,
      1,
      [],
    ]);
    await using early = await connect(ports[0], "early", served, 1);
    const { status, sense } = await early.command({ cdb: testUnitReady() });
    assertEquals([status, sense?.key], [ScsiStatus.checkCondition, 6]);
    const waiting = await early.command({ cdb: testUnitReady() });
    assertEquals([waiting.sense?.key, waiting.sense?.code], [2, 0x0401], "becoming ready");
    await initiator.logout();
    await initiator.close();
    assertEquals((await untilReady(early)).filter((text) => text !== "2/401"), [
      "6/3f03",
      "6/2800",
    ]);
    assert(exists(reservationsFileOf(main, naa)) && !exists(reservationsFileOf(other, naa)));
    assertEquals(
      (await supervisor.requests.reservations()).map(({ registrations }) => registrations.length),
      [1],
    );
    // What an initiator did before the move counts, once.
    await using again = await logIn(served, ports[0], { target: 1 });
    const { initiators } = await supervisor.requests.snapshot();
    assertEquals(initiators.map(({ sessions }) => sessions).toSorted(), [1, 1]);
    await again.logout();
    // The port that has no target left redirects for some time.
    const refusal = await assertRejects(() => connect(ports[1], "late", served, 1), LoginRefused);
    assertEquals(refusal.status, MOVED_TEMPORARILY);
    await early.logout();
  }));

Deno.test("a reload adds a port with a worker of its own, and no other is disturbed", () =>
  withScratch(async (folder) => {
    const made = makeServed(folder);
    const ports = [freePort(), freePort()] as const;
    const config = atPorts(made.config, ports);
    const served = { ...made, config: { ...config, targets: config.targets.slice(0, 1) } };
    const serving = servingOf(served);
    const running = start(served, { serving });
    await untilServing(running);
    await using calm = await logIn(served, ports[0]);
    using taken = Deno.listen({ hostname: "127.0.0.1", port: ports[1] });
    await assertRejects(
      () => running.supervisor.reconfigure({ ...serving, config }),
      Error,
      `Cannot listen at 127.0.0.1:${ports[1]}`,
    );
    assertEquals([running.supervisor.serving, running.supervisor.portals.length], [serving, 1]);
    taken.close();
    await running.supervisor.reconfigure({ ...serving, config });
    await using added = await logIn({ ...made, config }, ports[1], { target: 1 });
    await assertGood(added);
    await assertGood(calm);
    assertEquals(running.supervisor.portals, ports.map((port) => `127.0.0.1:${port}`));
    running.stop();
    assertEquals(await running.ended, undefined);
  }));

Deno.test("the limits of sessions and connections hold over all ports, and handles are unique", () =>
  withScratch(async (folder) => {
    const made = makeServed(folder);
    const ports = [freePort(), freePort()] as const;
    const served = { ...made, config: { ...atPorts(made.config, ports), sessions: 3, connections: 3 } };
    const running = start(served);
    await untilServing(running);
    const initiators = [
      await connect(ports[0], "1", served, 0),
      await connect(ports[1], "2", served, 1),
      await connect(ports[0], "3", served, 0),
    ];
    // A session that is reinstated counts as well.
    const former = initiators[0]!;
    initiators[0] = await connect(ports[0], "1", served, 0);
    await former.close();
    for (const target of [1, 0]) {
      const refusal = await assertRejects(() => connect(ports[target]!, "4", served, target), LoginRefused);
      assertEquals(refusal.status, 0x0302, "out of resources");
    }
    const { sessions } = await running.supervisor.requests.snapshot();
    assertEquals(new Set(sessions.map(({ tsih }) => tsih)).size, 3);
    await initiators[0]!.logout();
    await initiators[0]!.close();
    await untilAsked(async () => {
      const initiator = await connect(ports[1], "4", served, 1).catch(() => undefined);
      if (initiator !== undefined) initiators.push(initiator);
      return initiator !== undefined;
    }, "there is room at the other port");
    for (const initiator of initiators.slice(1)) await initiator.close();
    running.stop();
    assertEquals(await running.ended, undefined);
  }));
