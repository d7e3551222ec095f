/** A server of two ports for tests, and what one does with it. */
import { assertEquals } from "@std/assert";
import type { Config } from "../../../lib/config/config.ts";
import type { InterfaceAddress } from "../../../lib/access/interfaces.ts";
import type { Clock } from "../../../lib/iscsi/clock.ts";
import { workerPlaceOf } from "../../../lib/provision/state_folder.ts";
import type { Serving } from "../../../lib/server/storage/serving.ts";
import { withScratch } from "../../provision/scratch.ts";
import { pattern } from "../../support/content.ts";
import { numbered } from "../../support/exchanges.ts";
import { Initiator } from "../../support/initiator.ts";
import { testUnitReady, write10 } from "../../support/initiator_cdb.ts";
import { scsiCommand } from "../../support/initiator_request.ts";
import { ScsiStatus } from "../../support/initiator_sense.ts";
import { freePort } from "../../support/server_process.ts";
import { until, untilAsked } from "../../support/until.ts";
import { LOOPBACK, makeServed, type Served } from "../_serving.ts";
import {
  logIn,
  QUICK_CLOCK,
  type Running,
  servingOf,
  SilenceClock,
  start,
  TestWorkers,
  untilServing,
} from "./_supervised.ts";

/** Returns a conf with its targets at these ports. */
export function atPorts(config: Config, ports: readonly number[]): Config {
  const targets = config.targets.map((target, index) => ({ ...target, port: ports[index]! }));
  return { ...config, port: ports[0]!, targets };
}

/** A server of target `a` at one port and of target `b` at another. */
export interface TwoPorts {
  readonly served: Served;
  readonly serving: Serving;
  readonly running: Running;
  readonly workers: TestWorkers;
  /** The port of each target. */
  readonly ports: readonly [number, number];
}

/** The parts of such a server that a test replaces. */
export interface TwoPortsOptions {
  /** The programs of the first worker of each port. */
  readonly programs?: readonly string[];
  readonly clock?: Clock;
  readonly interfaces?: () => readonly InterfaceAddress[];
  /** Called when the storage folder is released. */
  readonly onLeaseEnd?: () => void;
  /** Waits until the test may begin; until all workers serve by default. */
  readonly wait?: (running: Running) => Promise<void>;
}

/** Runs a test with a server of two ports. */
export async function withTwoPorts(
  test: (two: TwoPorts) => Promise<void>,
  {
    programs = [],
    clock = QUICK_CLOCK,
    interfaces = () => [LOOPBACK],
    onLeaseEnd = () => {},
    wait = untilServing,
  }: TwoPortsOptions = {},
): Promise<void> {
  await withScratch(async (folder) => {
    const made = makeServed(folder);
    const ports = [freePort(), freePort()] as const;
    const served = { ...made, config: atPorts(made.config, ports) };
    const { lease, ...others } = servingOf(served);
    const serving = { ...others, lease: { ...lease, end: () => Promise.resolve(onLeaseEnd()) } };
    const workers = new TestWorkers([], new Map(programs.map((program, index) => [ports[index]!, program])));
    const running = start(served, { serving, clock, workers, interfaces });
    try {
      await wait(running);
      await test({ served, serving, running, workers, ports });
    } finally {
      running.stop();
      await running.ended;
    }
  });
}

/** Logs an initiator of this name in to a target, by its number. */
export async function connect(
  port: number,
  name: string,
  { config }: Served,
  target: number,
): Promise<Initiator> {
  const initiator = await Initiator.connect(port);
  try {
    const initiatorName = `iqn.2000-01.test:${name}`;
    await initiator.login({ targetName: config.targets[target]!.iscsiName, initiatorName });
    return initiator;
  } catch (error) {
    await initiator.close();
    throw error;
  }
}

/** Fails unless the logical unit is ready. */
export async function assertGood(initiator: Initiator): Promise<void> {
  assertEquals((await initiator.command({ cdb: testUnitReady() })).status, ScsiStatus.good);
}

/** Waits until a logical unit is ready, and returns the sense of each command before, without repetition. */
export async function untilReady(initiator: Initiator): Promise<readonly string[]> {
  const senses = new Set<string>();
  await untilAsked(async () => {
    const { status, sense } = await initiator.command({ cdb: testUnitReady() });
    if (sense !== undefined) senses.add(`${sense.key}/${sense.code.toString(16)}`);
    return status === ScsiStatus.good;
  }, "it is ready");
  return [...senses];
}

/** Sends a write to the first blocks, and does not wait for the answer. */
export async function sendWrite(initiator: Initiator, bytes: number): Promise<void> {
  await initiator.send(scsiCommand({
    ...numbered(initiator),
    isFinal: true,
    reads: false,
    writes: true,
    lun: 0,
    expectedLength: bytes,
    cdb: write10(0, bytes / 512),
    data: pattern(bytes),
  }));
}

/** Returns whether there is a file. */
export function exists(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

/** A disk that hangs when a test wants it. */
export interface Gate {
  readonly hang: () => Promise<void>;
  /** Waits until the worker counts as hanging, which takes no time. */
  readonly untilNoticed: () => Promise<void>;
  readonly release: () => void;
  /** Ends the connection of the initiator whose write hangs. */
  readonly leave: () => Promise<void>;
}

/** Runs a test while the worker of target `a` hangs in a write on its event loop. */
export async function withHangingPort(
  test: (two: TwoPorts, gate: Gate) => Promise<void>,
  options: Pick<TwoPortsOptions, "clock" | "interfaces"> = {},
): Promise<void> {
  await withGate(async (two, gate) => {
    await gate.hang();
    await test(two, gate);
  }, options);
}

/** Runs a test whose worker of target `a` can be made to hang in a write on its event loop. */
export async function withGate(
  test: (two: TwoPorts, gate: Gate) => Promise<void>,
  options: Pick<TwoPortsOptions, "clock" | "interfaces"> = {},
): Promise<void> {
  const clock = new SilenceClock(options.clock ?? QUICK_CLOCK);
  await withTwoPorts(async (two) => {
    const { served, running, ports } = two;
    // All workers have the program, and only this one a gate that is closed.
    const gate = `${workerPlaceOf(served.config.storage)}/journals/gate`;
    const initiator = await logIn(served, ports[0]);
    const release = (): void => {
      if (exists(gate)) Deno.removeSync(gate);
    };
    const hang = async (): Promise<void> => {
      Deno.writeTextFileSync(gate, "");
      await sendWrite(initiator, 4096);
      await until(() => exists(`${gate}.reached`), "the write hangs");
    };
    try {
      const untilNoticed = (): Promise<void> => clock.untilHanging(running);
      await test(two, { hang, untilNoticed, release, leave: () => initiator.close() });
    } finally {
      release();
      await initiator.close();
    }
  }, { ...options, clock, programs: Array<string>(2).fill("./_slow_worker.ts?at=once") });
}

/** Registers a key that persists (SPC-4, 6.16: REGISTER with APTPL). */
export async function register(initiator: Initiator): Promise<void> {
  const list = new Uint8Array(24);
  list[15] = 7;
  list[20] = 1;
  const cdb = Uint8Array.of(0x5f, 0, 0, 0, 0, 0, 0, 0, 24, 0);
  assertEquals((await initiator.command({ cdb, write: list })).status, ScsiStatus.good);
}
