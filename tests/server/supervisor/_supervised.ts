/** A running supervisor for tests, with its clock and the workers that it starts. */
import { workerPlaceOf } from "../../../lib/provision/state_folder.ts";
import type { InterfaceAddress } from "../../../lib/access/interfaces.ts";
import type { Clock } from "../../../lib/iscsi/clock.ts";
import { prepareInPlaceFolders } from "../../../lib/provision/in_place_folders.ts";
import { WorkerLinks } from "../../../lib/provision/worker_links.ts";
import { prepareWorkerState } from "../../../lib/provision/worker_state.ts";
import type { Lease, Serving } from "../../../lib/server/storage/serving.ts";
import { startWorker, type WorkerProgram } from "../../../lib/server/start_worker.ts";
import { Supervisor } from "../../../lib/server/supervisor/supervisor.ts";
import { SupervisorLimits } from "../../../lib/server/port/supervisor_limits.ts";
import { systemClock } from "../../../lib/server/system.ts";
import { Initiator } from "../../support/initiator.ts";
import { testUnitReady } from "../../support/initiator_cdb.ts";
import { until } from "../../support/until.ts";
import { KeptLog, LOOPBACK, type Served } from "../_serving.ts";

/** A supervisor that runs. */
export interface Running {
  readonly supervisor: Supervisor;
  readonly log: KeptLog;
  /** Ports in the order in which workers said that they listen there. */
  readonly ports: number[];
  readonly readyCount: () => number;
  readonly stop: () => void;
  readonly ended: Promise<string | undefined>;
}

/** Files take no programs to be linked. */
const NO_PROGRAMS = {
  runNow(): never {
    throw new Error("no program is to be run");
  },
};

/** Something to serve, with links for the worker and without holes. */
export function servingOf({ config, identities }: Served): Serving {
  const lease = { forPort: leaseFor(config.storage), end: () => Promise.resolve() };
  return { config, identities, devices: [], unavailable: new Map(), lease };
}

/** Returns what begins the parts of a storage folder: the first worker has the state folder itself. */
function leaseFor(storage: string): Lease["forPort"] {
  const places = new Set<string>();
  return (port) => {
    const place = places.has(workerPlaceOf(storage)) ? workerPlaceOf(storage, port) : workerPlaceOf(storage);
    places.add(place);
    prepareInPlaceFolders(place);
    prepareWorkerState(place, noWarning);
    const links = new WorkerLinks(place, NO_PROGRAMS);
    return { place, links, holes: undefined, end: () => Promise.resolve(void places.delete(place)) };
  };
}

function noWarning(message: string): never {
  throw new Error(message);
}

/** The replaceable collaborators of a supervisor that runs. */
export interface StartOptions {
  readonly interfaces?: () => readonly InterfaceAddress[];
  readonly serving?: Serving;
  readonly clock?: Clock;
  readonly workers?: TestWorkers;
}

/** Starts a supervisor. */
export function start(
  served: Served,
  {
    interfaces = () => [LOOPBACK],
    serving = servingOf(served),
    clock = systemClock,
    workers = new TestWorkers(),
  }: StartOptions = {},
): Running {
  const log = new KeptLog();
  const ports: number[] = [];
  let readyCount = 0;
  const supervisor = new Supervisor({
    serving,
    interfaces,
    clock,
    startWorker: workers.start,
    log,
    onListening: (_address, port) => ports.push(port),
    onReady: () => readyCount++,
  });
  const controller = new AbortController();
  const ended = supervisor.run(controller.signal);
  return { supervisor, log, ports, readyCount: () => readyCount, stop: () => controller.abort(), ended };
}

/** Waits until all workers serve. On a busy machine a server is ready before: it does not wait for one that hangs. */
export async function untilServing({ supervisor, readyCount }: Running): Promise<void> {
  const isServing = (): boolean => supervisor.workers.every(({ state }) => state === "running");
  await until(() => readyCount() > 0 && isServing(), "all workers serve");
}

/** Logs in to a target, by its number. */
export async function logIn(
  { config }: Served,
  port: number,
  { address = "127.0.0.1", target = 0 } = {},
): Promise<Initiator> {
  const initiator = await Initiator.connect(port, {}, address);
  await initiator.login({ targetName: config.targets[target]!.iscsiName });
  await initiator.command({ cdb: testUnitReady() });
  return initiator;
}

/** Starts workers, the first of them with other programs, and collects all of them. */
export class TestWorkers {
  readonly started: Worker[] = [];
  readonly #programs: WorkerProgram[] = [];
  readonly #urls: readonly string[];
  readonly #firstOf: ReadonlyMap<number, string>;
  /** Called before a worker is started. */
  onStart: () => void = () => {};

  /**
   * @param urls the programs of the first workers, relative to this folder
   * @param firstOf the programs of the first workers of ports, which start in any order
   */
  constructor(urls: readonly string[] = [], firstOf: ReadonlyMap<number, string> = new Map()) {
    this.#urls = urls;
    this.#firstOf = firstOf;
  }

  /** Returns the first worker of a port. */
  at(port: number): Worker {
    return this.of(port)[0]!;
  }

  /** Returns the workers of a port, the present one last. */
  of(port: number): Worker[] {
    return this.started.filter((_, index) => this.#programs[index]!.name === `target ${port}`);
  }

  readonly start = (program: WorkerProgram): Worker => {
    this.onStart();
    const other = this.#urls[this.started.length] ?? this.#firstFor(program);
    this.#programs.push(program);
    const url = other === undefined ? program.url : new URL(other, import.meta.url).href;
    const worker = startWorker({ ...program, url });
    this.started.push(worker);
    return worker;
  };

  #firstFor({ name }: WorkerProgram): string | undefined {
    const isFirst = this.#programs.every((program) => program.name !== name);
    return isFirst ? this.#firstOf.get(Number(/^target (\d+)$/.exec(name)?.[1])) : undefined;
  }
}

/** Returns the system's clock with some delays changed. */
export function clockWith(delayOf: (delayMs: number) => number): Clock {
  return { ...systemClock, after: (delayMs, callback) => systemClock.after(delayOf(delayMs), callback) };
}

/** The pause before a restart and the interval between two pings, of the clocks that shorten them. */
const SHORT_MS = 10;

/** A clock that restarts workers almost at once, and gives up on them after a twentieth of the time. */
export const QUICK_CLOCK = clockWith((delayMs) => {
  if (delayMs === SupervisorLimits.restartMs) return SHORT_MS;
  const ends: readonly number[] = [SupervisorLimits.stopMs, SupervisorLimits.endMs];
  return ends.includes(delayMs) ? delayMs / 20 : delayMs;
});

/** A clock on which a test skips the time for which a worker has to be silent to count as hanging. */
export class SilenceClock implements Clock {
  readonly #clock: Clock;
  #skippedMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  now(): number {
    return this.#clock.now();
  }

  monotonicMs(): number {
    return this.#clock.monotonicMs() + this.#skippedMs;
  }

  after(delayMs: number, callback: () => void): () => void {
    return this.#clock.after(delayMs === SupervisorLimits.pulseMs ? SHORT_MS : delayMs, callback);
  }

  /** Waits until the first worker counts as hanging, and no other does: a busy one may for a moment. */
  async untilHanging({ supervisor }: Running, silenceMs: number = SupervisorLimits.silenceMs): Promise<void> {
    await until(() => {
      const [first, ...others] = supervisor.workers.map(({ state }) => state);
      if (first !== "hanging") this.#skippedMs += silenceMs;
      return first === "hanging" && others.every((state) => state === "running");
    }, "the first worker alone hangs");
  }
}

/** A clock under which the supervisor restarts workers almost at once, and checks addresses only on request. */
export class AddressClock implements Clock {
  /** Timers of the same delay that are set: the next check first, then limits of pending requests. */
  readonly #timers = new Set<() => void>();

  readonly now = systemClock.now;
  readonly monotonicMs = systemClock.monotonicMs;

  after(delayMs: number, callback: () => void): () => void {
    if (delayMs === SupervisorLimits.restartMs) return systemClock.after(SHORT_MS, callback);
    if (delayMs !== SupervisorLimits.interfacesMs) return systemClock.after(delayMs, callback);
    this.#timers.add(callback);
    return () => this.#timers.delete(callback);
  }

  /** Checks the addresses now. */
  checkAddresses(): void {
    const [check] = this.#timers;
    this.#timers.delete(check!);
    check!();
  }
}

/** Causes a fault in the target worker: a relay opens a connection without addresses. */
export function crash(worker: Worker): void {
  const { port1, port2 } = new MessageChannel();
  worker.postMessage({ kind: "relay", id: -1, link: port1 }, [port1]);
  port2.postMessage({ kind: "open", id: 1 });
  port2.close();
}

/** Registers a test that leaves the locks of backing files to the end of the process, as the product does. */
export function testThatLeavesLocks(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, sanitizeResources: false, fn });
}
