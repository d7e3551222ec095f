/** The supervisor with its real worker, under the worker's real rights. */
import type { InterfaceAddress } from "../../../lib/access/interfaces.ts";
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { parseAddress, parseNetwork } from "../../../lib/bytes/network.ts";
import type { Serving } from "../../../lib/server/storage/serving.ts";
import { atAnyPort, atPort, configOf, identityNumber } from "../../provision/conf.ts";
import { withScratch } from "../../provision/scratch.ts";
import { Initiator } from "../../support/initiator.ts";
import { read10, testUnitReady, write10 } from "../../support/initiator_cdb.ts";
import { ScsiStatus } from "../../support/initiator_sense.ts";
import { freePort } from "../../support/server_process.ts";
import { runTool } from "../../support/tools.ts";
import {
  assertFarewell,
  FILE_BYTES,
  leaveWriteOpen,
  LOOPBACK,
  makeServed,
  pathOf,
  type Served,
} from "../_serving.ts";
import {
  AddressClock,
  clockWith,
  crash,
  logIn,
  QUICK_CLOCK,
  type Running,
  servingOf,
  start,
  type StartOptions,
  TestWorkers,
  untilServing,
} from "./_supervised.ts";
import { until } from "../../support/until.ts";
import { pattern } from "../../support/content.ts";

/** Starts a supervisor whose first workers have these programs, with a clock that restarts them without a pause. */
function startWithWorkers(urls: readonly string[], served: Served, options: StartOptions = {}): Running {
  return start(served, { clock: QUICK_CLOCK, workers: new TestWorkers(urls), ...options });
}

const CRASHING = "./_crashing_worker.ts";
const FAILING = `${CRASHING}?quietly`;
const FAILING_AT_THE_END = `${CRASHING}?at-the-end`;
const LYING = "./_lying_worker.ts";

Deno.test("a supervisor starts its worker, serves, and stops in order in the middle of a write", () =>
  withScratch(async (folder) => {
    const served = makeServed(folder);
    const running = start(served);
    await untilServing(running);
    assertEquals(running.ports.length, 1);
    const initiator = await logIn(served, running.ports[0]!);
    assertEquals(
      (await initiator.command({ cdb: write10(0, 8), write: pattern(4096) })).status,
      ScsiStatus.good,
    );
    await leaveWriteOpen(initiator);
    running.stop();
    assertEquals(await running.ended, undefined);
    await assertFarewell(initiator);
    await initiator.close();
    assertEquals(Deno.readFileSync(pathOf(served, "a")).subarray(0, 4096), pattern(4096));
    assert(running.log.lines.some((line) => line.includes("session begins")));
  }));

Deno.test("a supervisor asks its worker for the sessions, and cannot ask when it has stopped", () =>
  withScratch(async (folder) => {
    const served = makeServed(folder);
    const running = start(served);
    const { supervisor } = running;
    await untilServing(running);
    assertEquals(supervisor.portals, [`127.0.0.1:${running.ports[0]}`]);
    assertEquals((await supervisor.requests.snapshot()).sessions, []);
    const initiator = await logIn(served, running.ports[0]!);
    const { sessions } = await supervisor.requests.snapshot();
    assertEquals(sessions.map(({ targetName }) => targetName), [served.config.targets[0]!.iscsiName]);
    assertEquals(sessions[0]!.connections.map(({ peerAddress }) => peerAddress), ["127.0.0.1"]);
    await initiator.close();
    running.stop();
    const unanswered = supervisor.requests.snapshot().catch(() => {});
    assertEquals(await running.ended, undefined);
    await unanswered;
    assertEquals(supervisor.hasWorker, false);
    await assertRejects(() => supervisor.requests.snapshot(), Error, "no target worker is running");
  }));

Deno.test("a supervisor whose worker cannot start says why", () =>
  withScratch(async (folder) => {
    const served = makeServed(folder);
    using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const running = start({ ...served, config: atPort(served.config, taken.addr.port) });
    assertStringIncludes((await running.ended)!, `Cannot listen at 127.0.0.1:${taken.addr.port}`);
    assertEquals(running.readyCount(), 0);
  }));

Deno.test("a supervisor serves the other targets when a file is missing, also after a crash", () =>
  withScratch(async (folder) => {
    const served = makeServed(folder);
    Deno.removeSync(pathOf(served, "b"));
    const running = startWithWorkers([FAILING], served);
    await until(() => running.readyCount() === 2, "it is ready after the crash");
    assertStringIncludes(running.log.lines.join("\n"), "error: LUN 0 of [b] is not served: ");
    const initiator = await logIn(served, running.ports.at(-1)!);
    await initiator.close();
    running.stop();
    assertEquals(await running.ended, undefined);
  }));

Deno.test("a supervisor that is stopped before it has started stops", () =>
  withScratch(async (folder) => {
    const running = start(makeServed(folder));
    running.stop();
    assertEquals(await running.ended, undefined);
  }));

Deno.test("a supervisor starts another worker when one crashes", () =>
  withScratch(async (folder) => {
    const served = makeServed(folder);
    const running = startWithWorkers([CRASHING, FAILING], served);
    await until(() => running.readyCount() === 3, "the third worker is ready");
    const initiator = await logIn(served, running.ports[0]!);
    assertEquals(await initiator.logout(), 0);
    await initiator.close();
    running.stop();
    assertEquals(await running.ended, undefined);
    const crashes = running.log.lines.filter((line) => line.includes("a fault of ours"));
    assertEquals(crashes.length, 2);
  }));

// Deno prints the fault of such a worker to stderr, so this one has a process of its own.
Deno.test("a supervisor ends when a worker has died without reporting its operations", async () => {
  const program = new URL("./_silent_death.ts", import.meta.url).href;
  const args = ["run", "--allow-all", "--quiet", program];
  const { code, stdout, stderr } = await runTool(Deno.execPath(), args);
  assertEquals(code, 0, stderr);
  assertStringIncludes(stderr, "RangeError: a fault of ours");
  const [error, readyCount, ended] = JSON.parse(stdout);
  assertStringIncludes(error, "a fault of ours");
  assertEquals([readyCount, ended], [1, []]);
});

Deno.test("a supervisor starts another worker when one sends an invalid message or answer", () =>
  withScratch(async (folder) => {
    const served = makeServed(folder);
    const running = startWithWorkers([LYING, `${LYING}?when-asked`], served);
    await until(() => running.readyCount() === 2, "the second worker is ready");
    await assertRejects(
      () => running.supervisor.requests.snapshot(),
      Error,
      "target worker has ended",
    );
    await until(() => running.readyCount() === 3, "the third worker is ready");
    assertEquals((await running.supervisor.requests.snapshot()).sessions, []);
    const faults = running.log.lines.filter((line) => line.startsWith("error: "));
    const fault = "error: Target worker ended: target worker has sent an invalid message:";
    assertEquals(faults, [
      `${fault} log.event.level is none of error, warning, info, debug`,
      `${fault} snapshot.sessions is not a list`,
    ]);
    running.stop();
    assertEquals(await running.ended, undefined);
  }));

Deno.test("a supervisor ends when five workers crash in a row", () =>
  withScratch(async (folder) => {
    const running = startWithWorkers(Array<string>(5).fill(FAILING), makeServed(folder));
    assertStringIncludes((await running.ended)!, "5 times");
    assertEquals(running.readyCount(), 5);
  }));

Deno.test("a supervisor that is stopped between two workers stops", () =>
  withScratch(async (folder) => {
    const running = startWithWorkers([FAILING, FAILING], makeServed(folder));
    await until(() => running.log.lines.length > 0, "a worker has crashed");
    running.stop();
    assertEquals(await running.ended, undefined);
  }));

/** Registers a test that is skipped on a machine without IPv6. */
function testWithIpv6(name: string, fn: () => Promise<void>): void {
  const ignore = !Deno.networkInterfaces().some(({ address }) => address === "::1");
  Deno.test({ name: `${name}${ignore ? " (needs IPv6)" : ""}`, ignore, fn });
}

/** The loopback interface's IPv6 address. */
const LOOPBACK_6 = { name: "lo", prefixLength: 128, ...parseAddress("::1")! };

/** Adds an IPv6 network, for which Deno has no right, to the targets of a conf. */
function withIpv6(served: Served): Served {
  const network = parseNetwork("::/64")!;
  const targets = served.config.targets.map((target) => ({
    ...target,
    networks: [...target.networks, network],
  }));
  return { ...served, config: { ...served.config, targets } };
}

Deno.test("a supervisor listens at a new IPv4 address in a network without a relay or a restart", () =>
  withScratch(async (folder) => {
    const clock = new AddressClock();
    const workers = new TestWorkers();
    const served = makeServed(folder);
    const now = [LOOPBACK];
    const running = start(served, { interfaces: () => [...now], clock, workers });
    await untilServing(running);
    const calm = await logIn(served, running.ports[0]!);
    now.push({ ...LOOPBACK, address: "127.0.0.2", octets: [127, 0, 0, 2] });
    clock.checkAddresses();
    await until(() => running.supervisor.portals.length === 2, "it listens at the new address");
    const other = await logIn(served, running.ports.at(-1)!, { address: "127.0.0.2", target: 1 });
    assertEquals((await calm.command({ cdb: testUnitReady() })).status, ScsiStatus.good);
    for (const initiator of [calm, other]) await initiator.close();
    assertEquals([workers.started.length, running.readyCount()], [1, 1]);
    running.stop();
    assertEquals(await running.ended, undefined);
  }));

testWithIpv6(
  "a supervisor restarts its worker without sessions to listen at a new IPv6 address",
  () =>
    withScratch(async (folder) => {
      const clock = new AddressClock();
      const served = withIpv6(makeServed(folder));
      const now = [LOOPBACK];
      const running = start(served, { interfaces: () => [...now], clock });
      await untilServing(running);
      clock.checkAddresses();
      now.push(LOOPBACK_6);
      clock.checkAddresses();
      await until(() => running.readyCount() === 2, "it is ready again");
      const other = await Initiator.connect(running.ports.at(-1)!, {}, "::1");
      await other.login({ targetName: served.config.targets[0]!.iscsiName });
      await other.close();
      running.stop();
      assertEquals(await running.ended, undefined);
    }),
);

Deno.test("a supervisor waits for its worker's reconfiguration without a time limit", () =>
  withScratch(async (folder) => {
    const served = makeServed(folder);
    const serving = servingOf(served);
    // Half a minute is over at once.
    const clock = clockWith((delayMs) => delayMs >= 30_000 ? 0 : delayMs);
    const running = start(served, { serving, clock });
    await untilServing(running);
    const [target] = served.config.targets;
    const next = { ...serving, config: { ...served.config, targets: [target!] } };
    assertEquals((await running.supervisor.reconfigure(next)).length, 1);
    assertEquals(running.supervisor.serving, next);
    running.stop();
    assertEquals(await running.ended, undefined);
  }));

Deno.test("a supervisor gives its worker links to files that it has no right to by name", () =>
  withScratch(async (folder) => {
    const storage = `${folder}/storage`;
    Deno.mkdirSync(`${storage}/.iscsi`, { recursive: true });
    const served = makeServed(storage);
    const serving = servingOf(served);
    const running = start(served, { serving });
    await untilServing(running);
    const calm = await logIn(served, running.ports[0]!);
    const late = `${folder}/late`;
    Deno.writeFileSync(late, new Uint8Array(FILE_BYTES).fill(0x4c));
    const config = configOf(
      ...[`storage=${storage}`, "networks=127.0.0.0/8", "[a]", "size=4MB", "[b]", "size=4MB"],
      ...["[late]", "size=4MB", `file=${late}`],
    );
    const identities = new Map([...served.identities, [late, identityNumber(77)]]);
    const next = { ...serving, config: atAnyPort(config), identities };
    assertEquals((await running.supervisor.preview(next.config)).map(({ description }) => description), [
      "add target [late] with 1 LUN",
    ]);
    assertEquals((await running.supervisor.reconfigure(next)).length, 1);
    const initiator = await Initiator.connect(running.ports[0]!);
    await initiator.login({ targetName: config.targets[2]!.iscsiName });
    await initiator.command({ cdb: testUnitReady() });
    const { data } = await initiator.command({ cdb: read10(0, 1), read: 512 });
    assertEquals(data, new Uint8Array(512).fill(0x4c));
    assertEquals((await calm.command({ cdb: testUnitReady() })).status, ScsiStatus.good);
    await initiator.close();
    const short = `${folder}/short`;
    Deno.writeTextFileSync(short, "x");
    const [target] = next.config.targets.slice(2);
    const unit = { ...target!.logicalUnits[0]!, path: short };
    const unready = { ...target!, logicalUnits: [unit] };
    const worse = {
      ...next,
      config: { ...next.config, targets: [...next.config.targets.slice(0, 2), unready] },
    };
    const unidentified = { ...worse, identities: new Map([...identities, [short, identityNumber(78)]]) };
    await assertRejects(() => running.supervisor.reconfigure(unidentified), Error, "bytes short");
    assertEquals(running.supervisor.serving, next);
    assertEquals((await calm.command({ cdb: testUnitReady() })).status, ScsiStatus.good);
    assertEquals(running.readyCount(), 1);
    await calm.close();
    running.stop();
    assertEquals(await running.ended, undefined);
  }));

/** Waits until connections are refused: the system may accept one or two while a listener is being closed. */
async function untilRefused(port: number, address: string): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt++) {
    try {
      await (await Initiator.connect(port, {}, address)).close();
    } catch {
      return;
    }
  }
  throw new Error(`A program still listens at ${address}:${port}`);
}

testWithIpv6(
  "a supervisor with sessions listens at new IPv6 addresses by relays, and they go on",
  () =>
    withScratch(async (folder) => {
      const clock = new AddressClock();
      const served = withIpv6(makeServed(folder));
      const now = [LOOPBACK, { ...LOOPBACK, address: "127.0.0.2" }];
      const running = start(served, { interfaces: () => [...now], clock });
      await untilServing(running);
      const calm = await logIn(served, running.ports[0]!);
      now.pop();
      clock.checkAddresses();
      await until(() => running.supervisor.portals.length === 1, "it listens at one address only");
      await untilRefused(running.ports[1]!, "127.0.0.2");
      now.push(LOOPBACK_6);
      clock.checkAddresses();
      await until(() => running.supervisor.portals.length === 2, "a relay listens at the new address");
      const there = { address: "::1", target: 1 };
      const relayed = await logIn(served, running.ports.at(-1)!, there);
      assertEquals((await relayed.command({ cdb: testUnitReady() })).status, ScsiStatus.good);
      assertEquals((await calm.command({ cdb: testUnitReady() })).status, ScsiStatus.good);
      assertEquals(running.readyCount(), 1);
      await calm.close();
      await relayed.close();
      const ends = (): number => running.log.lines.filter((line) => line.includes("session ends")).length;
      await until(() => ends() === 2, "both sessions have ended");
      clock.checkAddresses();
      await until(() => running.readyCount() === 2, "another worker is ready");
      const other = await logIn(served, running.ports.at(-1)!, there);
      await other.close();
      running.stop();
      assertEquals(await running.ended, undefined);
    }),
);

/** Listens at an address as soon as it is free. */
async function take(hostname: string, port: number): Promise<Deno.TcpListener> {
  let listener: Deno.TcpListener | undefined;
  await until(() => {
    try {
      listener = Deno.listen({ hostname, port });
      return true;
    } catch {
      return false;
    }
  }, `${hostname} is free`);
  return listener!;
}

Deno.test("a supervisor whose worker crashes serves again where it can, though a portal has been taken", () =>
  withScratch(async (folder) => {
    const clock = new AddressClock();
    const workers = new TestWorkers();
    const made = makeServed(folder);
    const served = { ...made, config: atPort(made.config, freePort()) };
    const { port } = served.config;
    const now = [LOOPBACK];
    const running = start(served, { interfaces: () => [...now], clock, workers });
    await untilServing(running);
    const lost = await logIn(served, port);
    now.push({ ...LOOPBACK, address: "127.0.0.3" });
    clock.checkAddresses();
    const haveMoved = "info: The server's addresses have changed";
    await until(() => running.log.lines.includes(haveMoved), "it listens at the new address");
    crash(workers.started[0]!);
    const taken = await take("127.0.0.3", port);
    await lost.close();
    await until(() => running.readyCount() === 2, "it is ready again");
    const calm = await logIn(served, port);
    const fault = `Cannot listen at 127.0.0.3:${port}: Address already in use (os error 98)`;
    const remedy = "stop the program that listens there, or set another port; trying again";
    assertEquals(running.log.lines.filter((line) => line.includes("Cannot listen")), [
      `warning: ${fault}; ${remedy}`,
    ]);
    assertEquals(running.supervisor.portals, [`127.0.0.1:${port}`]);
    const faultsNow = (): readonly string[] => running.supervisor.workers.flatMap(({ faults }) => faults);
    assertEquals(faultsNow().map((text) => text.startsWith(fault)), [true]);
    taken.close();
    clock.checkAddresses();
    await until(() => running.supervisor.portals.length === 2, "it listens there as well");
    const there = await logIn(served, port, { address: "127.0.0.3", target: 1 });
    assertEquals(faultsNow(), []);
    assertEquals((await calm.command({ cdb: testUnitReady() })).status, ScsiStatus.good);
    for (const initiator of [calm, there]) await initiator.close();
    running.stop();
    assertEquals(await running.ended, undefined);
  }));

Deno.test("a supervisor changes to another storage folder, and releases the old one", () =>
  withScratch(async (folder) => {
    const ended: string[] = [];
    const servingIn = (name: string): Serving => {
      const storage = `${folder}/${name}`;
      Deno.mkdirSync(`${storage}/.iscsi`, { recursive: true });
      const serving = servingOf(makeServed(storage));
      return { ...serving, lease: { ...serving.lease, end: () => Promise.resolve(void ended.push(name)) } };
    };
    const served = makeServed(folder);
    const running = start(served, { serving: servingIn("old") });
    await untilServing(running);
    const initiator = await logIn(served, running.ports[0]!);
    await running.supervisor.replace(servingIn("new"));
    assertEquals([running.readyCount(), ended], [2, ["old"]]);
    await assertFarewell(initiator);
    await initiator.close();
    running.stop();
    assertEquals(await running.ended, undefined);
    assertEquals(ended, ["old", "new"]);
    await assertRejects(() => running.supervisor.preview(served.config), Error, "try again");
  }));

Deno.test("a supervisor that cannot listen at the portals of a new conf keeps the old one", () =>
  withScratch(async (folder) => {
    const served = makeServed(folder);
    const serving = servingOf(served);
    const running = start(served, { serving });
    await untilServing(running);
    using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = taken.addr as Deno.NetAddr;
    const next = { ...serving, config: atPort(served.config, port) };
    await assertRejects(() => running.supervisor.reconfigure(next), Error, "Cannot listen at");
    assertEquals(running.supervisor.serving, serving);
    assertEquals(running.supervisor.portals, [`127.0.0.1:${running.ports[0]}`]);
    const initiator = await logIn(served, running.ports[0]!);
    await initiator.close();
    running.stop();
    assertEquals(await running.ended, undefined);
    assertEquals(running.readyCount(), 1);
  }));

/** An address that this machine does not have (RFC 5737). */
const ABSENT: InterfaceAddress = {
  name: "absent",
  address: "192.0.2.7",
  octets: [192, 0, 2, 7],
  prefixLength: 24,
  family: "ipv4",
};

Deno.test("a supervisor interrupts nothing when a conf needs a port that is taken", () =>
  withScratch(async (folder) => {
    const served = makeServed(folder);
    const running = start(served);
    await untilServing(running);
    const initiator = await logIn(served, running.ports[0]!);
    using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const other = makeServed(Deno.makeTempDirSync({ dir: folder }));
    const next = servingOf({ ...other, config: atPort(other.config, taken.addr.port) });
    const message = `Cannot listen at 127.0.0.1:${taken.addr.port}`;
    await assertRejects(() => running.supervisor.replace(next), Error, message);
    assertEquals((await initiator.command({ cdb: testUnitReady() })).status, ScsiStatus.good);
    assertEquals([running.readyCount(), running.supervisor.workerStarts], [1, 2]);
    await initiator.close();
    running.stop();
    assertEquals(await running.ended, undefined);
  }));

Deno.test("a supervisor serves the old conf again when a new worker cannot serve another", () =>
  withScratch(async (folder) => {
    const ended: string[] = [];
    const served = makeServed(folder);
    const { lease, ...serving } = servingOf(served);
    const old = { ...serving, lease: { ...lease, end: () => Promise.resolve(void ended.push("old")) } };
    const running = start(served, { serving: old, interfaces: () => [LOOPBACK, ABSENT] });
    await untilServing(running);
    const other = makeServed(Deno.makeTempDirSync({ dir: folder }));
    const lines = [`storage=${other.config.storage}`, `networks=${ABSENT.address}`, "[a]", "size=4MB"];
    const unready = { ...other, config: atAnyPort(configOf(...lines)) };
    const message = `Cannot listen at ${ABSENT.address}:0`;
    await assertRejects(() => running.supervisor.replace(servingOf(unready)), Error, message);
    assertEquals([running.supervisor.serving, ended], [old, []]);
    await until(() => running.readyCount() === 2, "it is ready again");
    const initiator = await logIn(served, running.ports.at(-1)!);
    await initiator.close();
    running.stop();
    assertEquals(await running.ended, undefined);
    assertEquals(ended, ["old"]);
  }));

Deno.test("a worker that does not end in order is still replaced", () =>
  withScratch(async (folder) => {
    const served = makeServed(folder);
    const running = startWithWorkers([FAILING_AT_THE_END], served);
    await untilServing(running);
    await running.supervisor.replace(servingOf(served));
    const initiator = await logIn(served, running.ports.at(-1)!);
    await initiator.close();
    running.stop();
    assertEquals(await running.ended, undefined);
    assert(running.log.lines.some((line) => line.includes("a fault of ours")));
  }));

Deno.test("a supervisor that cannot read the server's addresses logs it and goes on", () =>
  withScratch(async (folder) => {
    const clock = new AddressClock();
    const faults: Error[] = [];
    const running = start(makeServed(folder), {
      interfaces: () => {
        for (const fault of faults) throw fault;
        return [LOOPBACK];
      },
      clock,
    });
    await untilServing(running);
    faults.push(new Error("too many open files"));
    clock.checkAddresses();
    const warning = "warning: Cannot follow the server's addresses: too many open files";
    await until(() => running.log.lines.includes(warning), "it is logged");
    running.stop();
    assertEquals(await running.ended, undefined);
  }));
