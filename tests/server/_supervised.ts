/** What the tests of the supervisor share: one that runs, and the workers that it starts. */
import type { InterfaceAddress } from "../../lib/access/interfaces.ts";
import { prepareInPlaceFolders } from "../../lib/provision/in_place_folders.ts";
import { WorkerLinks } from "../../lib/provision/worker_links.ts";
import { prepareWorkerState } from "../../lib/provision/worker_state.ts";
import type { Serving } from "../../lib/server/serving.ts";
import { Supervisor } from "../../lib/server/supervisor.ts";
import { SupervisorLimits } from "../../lib/server/supervisor_limits.ts";
import { Initiator } from "../support/initiator.ts";
import { testUnitReady } from "../support/initiator_cdb.ts";
import { KeptLog, LOOPBACK, type Served } from "./_serving.ts";

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
  prepareInPlaceFolders(config.storage);
  prepareWorkerState(config.storage, noWarning);
  const links = new WorkerLinks(config.storage, NO_PROGRAMS);
  const lease = { links, holes: undefined, end: () => Promise.resolve() };
  return { config, identities, devices: [], unavailable: new Map(), lease };
}

function noWarning(message: string): never {
  throw new Error(message);
}

/** Starts a supervisor. */
export function start(
  served: Served,
  interfaces: () => readonly InterfaceAddress[] = () => [LOOPBACK],
  serving = servingOf(served),
): Running {
  const log = new KeptLog();
  const ports: number[] = [];
  let readyCount = 0;
  const supervisor = new Supervisor({
    serving,
    interfaces,
    log,
    onListening: (_address, port) => ports.push(port),
    onReady: () => readyCount++,
  });
  const controller = new AbortController();
  const ended = supervisor.run(controller.signal);
  return { supervisor, log, ports, readyCount: () => readyCount, stop: () => controller.abort(), ended };
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

/** The global things that a supervisor uses, as far as they are replaced here. */
interface Replaceable {
  Worker: typeof Worker;
  setTimeout: (run: () => void, delayMs?: number) => unknown;
}

const replaceable = globalThis as unknown as Replaceable;

/** Starts the first workers from these URLs, and collects all that are started. */
export async function withWorkers(
  urls: readonly string[],
  test: (workers: readonly Worker[]) => Promise<void>,
): Promise<void> {
  const { Worker: RealWorker } = replaceable;
  const workers: Worker[] = [];
  replaceable.Worker = class extends RealWorker {
    constructor(url: string | URL, options?: WorkerOptions) {
      const other = urls[workers.length];
      super(other === undefined ? url : new URL(other, import.meta.url).href, options);
      workers.push(this);
    }
  };
  try {
    await test(workers);
  } finally {
    replaceable.Worker = RealWorker;
  }
}

/** Has the times of a supervisor run fast: no second passes before a worker is started, or until it is given up. */
export async function withQuickTimes(test: () => Promise<void>): Promise<void> {
  const { setTimeout: real } = replaceable;
  const ends: readonly number[] = [SupervisorLimits.stopMs, SupervisorLimits.endMs];
  replaceable.setTimeout = (run, delayMs = 0) =>
    real(run, delayMs === SupervisorLimits.restartMs ? 0 : ends.includes(delayMs) ? delayMs / 20 : delayMs);
  try {
    await test();
  } finally {
    replaceable.setTimeout = real;
  }
}

/** Has a fault of ours happen in the target worker: a peer without addresses comes over a relay. */
export function crash(worker: Worker): void {
  const { port1, port2 } = new MessageChannel();
  worker.postMessage({ kind: "relay", id: -1, link: port1 }, [port1]);
  port2.postMessage({ kind: "open", id: 1 });
  port2.close();
}

/** Registers a test after which the locks of backing files are left to the end of the process, as they are to be. */
export function testThatLeavesLocks(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, sanitizeResources: false, fn });
}
