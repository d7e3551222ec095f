/** The supervisor with its real worker, under the worker's real rights. */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import type { InterfaceAddress } from "../../lib/access/interfaces.ts";
import { Supervisor } from "../../lib/server/supervisor.ts";
import { pattern, until } from "../iscsi/_harness.ts";
import { withScratch } from "../provision/scratch.ts";
import { Initiator } from "../support/initiator.ts";
import { testUnitReady, write10 } from "../support/initiator_cdb.ts";
import { Opcode } from "../support/initiator_pdu.ts";
import { ScsiStatus } from "../support/initiator_sense.ts";
import { KeptLog, leaveWriteOpen, LOOPBACK, makeServed, pathOf, type Served } from "./_serving.ts";

/** A supervisor that runs. */
interface Running {
  readonly supervisor: Supervisor;
  readonly log: KeptLog;
  /** Ports in the order in which workers said that they listen there. */
  readonly ports: number[];
  readonly readyCount: () => number;
  readonly stop: () => void;
  readonly ended: Promise<string | undefined>;
}

function start(served: Served, interfaces: () => readonly InterfaceAddress[] = () => [LOOPBACK]): Running {
  const log = new KeptLog();
  const ports: number[] = [];
  let readyCount = 0;
  const supervisor = new Supervisor({
    config: served.config,
    identities: served.identities,
    makeDeviceNodes: () => served.standIns,
    interfaces,
    log,
    onListening: (_address, port) => ports.push(port),
    onReady: () => readyCount++,
  });
  const controller = new AbortController();
  const ended = supervisor.run(controller.signal);
  return { supervisor, log, ports, readyCount: () => readyCount, stop: () => controller.abort(), ended };
}

async function logIn({ config }: Served, port: number): Promise<Initiator> {
  const initiator = await Initiator.connect(port);
  await initiator.login({ targetName: config.targets[0]!.iscsiName });
  await initiator.command({ cdb: testUnitReady() });
  return initiator;
}

/** The global things that a supervisor uses, as far as they are replaced here. */
interface Replaceable {
  Worker: typeof Worker;
  setTimeout: (run: () => void, delayMs?: number) => unknown;
}

/** Lets the first workers end as soon as they are ready, as their URLs say, and time between them run fast. */
async function withCrashingWorkers(urls: readonly string[], test: () => Promise<void>): Promise<void> {
  const replaceable = globalThis as unknown as Replaceable;
  const { Worker: RealWorker, setTimeout: realSetTimeout } = replaceable;
  let started = 0;
  replaceable.Worker = class extends RealWorker {
    constructor(url: string | URL, options?: WorkerOptions) {
      const crashing = urls[started++];
      super(crashing === undefined ? url : new URL(crashing, import.meta.url).href, options);
    }
  };
  replaceable.setTimeout = (run, delayMs) => realSetTimeout(run, delayMs === 1000 ? 0 : delayMs);
  try {
    await test();
  } finally {
    replaceable.Worker = RealWorker;
    replaceable.setTimeout = realSetTimeout;
  }
}

const CRASHING = "./_crashing_worker.ts";
const FAILING = `${CRASHING}?quietly`;

Deno.test("a supervisor starts its worker, serves, and stops in order in the middle of a write", () =>
  withScratch(async (folder) => {
    const served = makeServed(folder);
    const running = start(served);
    await until(() => running.readyCount() === 1, "it is ready");
    assertEquals(running.ports.length, 1);
    const initiator = await logIn(served, running.ports[0]!);
    assertEquals(
      (await initiator.command({ cdb: write10(0, 8), write: pattern(4096) })).status,
      ScsiStatus.good,
    );
    await leaveWriteOpen(initiator);
    running.stop();
    assertEquals(await running.ended, undefined);
    // The initiator is told that its connections are about to be dropped (RFC 7143, 11.9.1).
    assertEquals((await initiator.receiveEnd()).map(({ opcode }) => opcode), [Opcode.asynchronousMessage]);
    await initiator.close();
    assertEquals(Deno.readFileSync(pathOf(served, "a")).subarray(0, 4096), pattern(4096));
    assert(running.log.lines.some((line) => line.includes("session begins")));
  }));

Deno.test("a supervisor asks its worker who is there, and has nobody to ask when it has stopped", () =>
  withScratch(async (folder) => {
    const served = makeServed(folder);
    const { supervisor, ...running } = start(served);
    await until(() => running.readyCount() === 1, "it is ready");
    assertEquals(supervisor.portals, [`127.0.0.1:${running.ports[0]}`]);
    assertEquals((await supervisor.ask({ kind: "snapshot" })).sessions, []);
    const initiator = await logIn(served, running.ports[0]!);
    const { sessions } = await supervisor.ask({ kind: "snapshot" });
    assertEquals(sessions.map(({ targetName }) => targetName), [served.config.targets[0]!.iscsiName]);
    assertEquals(sessions[0]!.connections.map(({ peerAddress }) => peerAddress), ["127.0.0.1"]);
    await initiator.close();
    running.stop();
    const unanswered = supervisor.ask({ kind: "snapshot" }).catch(() => {});
    assertEquals(await running.ended, undefined);
    await unanswered;
    assertEquals(supervisor.hasWorker, false);
    await assertRejects(() => supervisor.ask({ kind: "snapshot" }), Error, "no target worker is running");
  }));

Deno.test("a supervisor whose worker cannot start says why", () =>
  withScratch(async (folder) => {
    const served = makeServed(folder);
    Deno.removeSync(pathOf(served, "b"));
    const running = start(served);
    assertStringIncludes((await running.ended)!, pathOf(served, "b"));
    assertEquals(running.readyCount(), 0);
  }));

Deno.test("a supervisor that is told to stop before it has started stops", () =>
  withScratch(async (folder) => {
    const running = start(makeServed(folder));
    running.stop();
    assertEquals(await running.ended, undefined);
  }));

Deno.test("a supervisor starts another worker when one crashes", () =>
  withScratch((folder) =>
    withCrashingWorkers([CRASHING, FAILING], async () => {
      const served = makeServed(folder);
      const running = start(served);
      await until(() => running.readyCount() === 3, "the third worker is ready");
      const initiator = await logIn(served, running.ports[0]!);
      assertEquals(await initiator.logout(), 0);
      await initiator.close();
      running.stop();
      assertEquals(await running.ended, undefined);
      const crashes = running.log.lines.filter((line) => line.includes("a fault of ours"));
      assertEquals(crashes.length, 2);
    })
  ));

Deno.test("a supervisor gives up when one worker after the other crashes", () =>
  withScratch((folder) =>
    withCrashingWorkers(Array<string>(5).fill(FAILING), async () => {
      const running = start(makeServed(folder));
      assertStringIncludes((await running.ended)!, "5 times");
      assertEquals(running.readyCount(), 5);
    })
  ));

Deno.test("a supervisor that is told to stop between two workers stops", () =>
  withScratch((folder) =>
    withCrashingWorkers([FAILING, FAILING], async () => {
      const running = start(makeServed(folder));
      await until(() => running.log.lines.length > 0, "a worker has crashed");
      running.stop();
      assertEquals(await running.ended, undefined);
    })
  ));

Deno.test("a supervisor starts a worker with other portals when the server's addresses change", () =>
  withScratch(async (folder) => {
    const served = makeServed(folder);
    const intervals: (() => void)[] = [];
    const replaceable = globalThis as unknown as {
      setInterval: (run: () => void, delayMs?: number) => unknown;
    };
    const { setInterval: real } = replaceable;
    // What the supervisor looks at every few seconds is looked at when the test says so.
    replaceable.setInterval = (run) => {
      intervals.push(run);
      return real(() => {}, 2 ** 30);
    };
    try {
      const now = [LOOPBACK];
      const running = start(served, () => [...now]);
      await until(() => running.readyCount() === 1, "it is ready");
      intervals.at(-1)!();
      now.push({ ...LOOPBACK, address: "127.0.0.2" });
      intervals.at(-1)!();
      await until(() => running.readyCount() === 2, "it is ready again");
      assertEquals(running.ports.length, 3);
      const other = await Initiator.connect(running.ports[2]!, {}, "127.0.0.2");
      await other.login({ targetName: served.config.targets[0]!.iscsiName });
      await other.close();
      running.stop();
      assertEquals(await running.ended, undefined);
    } finally {
      replaceable.setInterval = real;
    }
  }));
