/**
 * The whole target in one process, for tests: a node with stores in memory, and initiators at the other ends of pipes.
 *
 * When a test is over, every connection must have come to its end: what still serves a peer that is gone is a leak.
 */
import { parseNetwork } from "../../lib/bytes/network.ts";
import type { ChapConfig } from "../../lib/config/chap.ts";
import type { TargetConfig } from "../../lib/config/config.ts";
import type { Redirection } from "../../lib/config/redirection.ts";
import { EventLog, type LogEvent } from "../../lib/iscsi/events/event_log.ts";
import type { Target } from "../../lib/iscsi/target.ts";
import { WorkUnderWay } from "../../lib/iscsi/work_under_way.ts";
import {
  TargetNode,
  type TargetNodeOptions,
  type TargetNodeSettings,
} from "../../lib/iscsi/node/target_node.ts";
import { LogicalUnit } from "../../lib/scsi/logical_unit.ts";
import { TargetDevice } from "../../lib/scsi/target_device.ts";
import type { BlockStore } from "../../lib/store/block_store.ts";
import { Initiator, type InitiatorOptions } from "./initiator.ts";
import { testUnitReady } from "./initiator_cdb.ts";
import { withTimeLimit } from "./initiator_connection.ts";
import type { LoginOptions } from "./initiator_login.ts";
import { TargetFault } from "./initiator_pdu.ts";
import { ScsiStatus } from "./initiator_sense.ts";
import { FakeClock } from "./fake_clock.ts";
import { MemoryStore } from "./memory_store.ts";
import { type ByteStream, createPipe, type PipeOptions } from "./pipe.ts";
import type { ConnectionEnds } from "../../lib/iscsi/byte_stream.ts";
import { settle } from "./until.ts";

/** The node of every target here: `NODE:NAME`. */
export const NODE = "iqn.2002-08.info.netmanager";

/** A target to make. */
export interface TargetSpec {
  /** By default, `disk`. */
  readonly name?: string;
  readonly alias?: string;
  readonly comment?: string;
  readonly readOnly?: boolean;
  readonly networks?: readonly string[];
  readonly initiators?: readonly string[];
  readonly chap?: ChapConfig;
  readonly redirect?: Redirection;
  /** LUN 0, 1 ...; by default, one of 64 MiB. */
  readonly stores?: readonly BlockStore[];
  /** Of all its LUNs; by default, the same for all targets. */
  readonly naa?: string;
}

/** A node to make. */
export interface HarnessOptions {
  readonly targets?: readonly TargetSpec[];
  readonly sessions?: number;
  readonly connections?: number;
  readonly interfaces?: TargetNodeOptions["interfaces"];
  readonly ping?: TargetNodeOptions["ping"];
  /** The proof required of discovery sessions, and the required strength of CHAP. */
  readonly chap?: Partial<TargetNodeOptions["chap"]>;
  /** The source of challenges; by default, zeros, then ones and so on. */
  readonly randomBytes?: TargetNodeOptions["randomBytes"];
}

/** Options of one connection that deviates from the usual. */
export interface ConnectOptions extends PipeOptions, InitiatorOptions {
  readonly ends?: Partial<ConnectionEnds>;
}

/** A connection seen from outside. */
export interface Served {
  readonly initiator: Initiator;
  /** Resolves when the node is done with the connection. */
  readonly served: Promise<void>;
  /** Bytes that the node has taken and given so far, and in how many writes. */
  readonly traffic: { taken: number; given: number; writes: number };
  /** The node has closed its end. */
  readonly isClosed: () => boolean;
}

const DISK = {
  blockSizeBytes: 512,
  physicalBlockSizeBytes: 4096,
  removable: false,
  writeCache: true,
  vendor: undefined,
  product: undefined,
  revision: undefined,
  serialNumber: undefined,
} as const;

const IDENTITY = { naa: "3123456789abcdef", serialNumber: "0123456789ABCDEF" } as const;

/** Our end and theirs, as a socket would report them. */
export const ENDS: ConnectionEnds = { localAddress: "10.0.0.1", localPort: 3260, peerAddress: "10.0.0.2" };

/** The iSCSI name of a target. */
export function nameOf(name = "disk"): string {
  return `${NODE}:${name}`;
}

/** A TEST UNIT READY to LUN 0, but for its numbers. */
export const TEST_UNIT_READY = {
  isFinal: true,
  reads: false,
  writes: false,
  lun: 0,
  expectedLength: 0,
  cdb: testUnitReady(),
};

interface MadeTarget extends Target {
  readonly units: readonly LogicalUnit[];
}

function makeTarget(spec: TargetSpec): MadeTarget {
  const { name = "disk", readOnly = false, stores = [new MemoryStore({ sizeBytes: 64 * 1024 * 1024 })] } =
    spec;
  const config: TargetConfig = {
    name,
    iscsiName: nameOf(name),
    aliasIscsiName: spec.alias === undefined ? undefined : nameOf(spec.alias),
    comment: spec.comment ?? "",
    readOnly,
    disk: DISK,
    networks: (spec.networks ?? []).map((text) => parseNetwork(text)!),
    initiators: spec.initiators ?? [],
    chap: spec.chap,
    port: 3260,
    redirect: spec.redirect,
    logicalUnits: stores.map(({ sizeBytes }, number) => ({ number, path: `/${name}`, sizeBytes, line: 1 })),
    line: 1,
  };
  const identity = { ...IDENTITY, naa: spec.naa ?? IDENTITY.naa };
  const units = stores.map((store) => new LogicalUnit({ store, identity, readOnly }));
  const device = new TargetDevice({
    name: config.iscsiName,
    portName: `${config.iscsiName},t,0x0001`,
    relativePortIdentifier: 1,
    logicalUnits: new Map(units.entries()),
  });
  return { config, device, work: new WorkUnderWay(), units };
}

/** A source of bytes that is anything but random, and never gives out the same twice in a row. */
function countingBytes(): (length: number) => Uint8Array {
  const state = { next: 0 };
  return (length) => new Uint8Array(length).fill(state.next++);
}

/** Counts what passes the node's end of a connection. */
class CountedStream implements ByteStream {
  readonly traffic = { taken: 0, given: 0, writes: 0 };
  isClosed = false;
  readonly #inner: ByteStream;

  constructor(inner: ByteStream) {
    this.#inner = inner;
  }

  async read(into: Uint8Array): Promise<number | null> {
    const count = await this.#inner.read(into);
    this.traffic.taken += count ?? 0;
    return count;
  }

  async write(from: Uint8Array): Promise<number> {
    const count = await this.#inner.write(from);
    this.traffic.given += count;
    this.traffic.writes++;
    return count;
  }

  close(): void {
    this.isClosed = true;
    this.#inner.close();
  }
}

/** A session with several connections. */
export interface MultipleConnections {
  readonly tsih: number;
  /** By connection identifier. */
  readonly connections: readonly Served[];
  readonly initiators: readonly Initiator[];
}

/** Receives the first unit attention of each unit. */
async function hearAttentions(initiator: Initiator, unitCount: number): Promise<void> {
  for (let lun = 0; lun < unitCount; lun++) {
    const { status } = await initiator.command({ cdb: testUnitReady(), lun });
    if (status !== ScsiStatus.checkCondition) throw new TargetFault(`LUN ${lun} has no unit attention`);
  }
}

/** A node and those who are connected to it. */
export class Harness {
  readonly node: TargetNode;
  /** Stands still until the test moves it. */
  readonly clock = new FakeClock();
  readonly events: LogEvent[] = [];
  /** By name of their target. */
  readonly units: ReadonlyMap<string, readonly LogicalUnit[]>;
  readonly #connections: Served[] = [];

  readonly #settings: TargetNodeSettings;

  /** The log without debug events: `warning: ...` or `info: ...`, one line per event. */
  get log(): readonly string[] {
    const told = this.events.filter(({ level }) => level !== "debug");
    return told.map(({ level, message }) => `${level}: ${message}`);
  }

  constructor(options: HarnessOptions = {}) {
    const { targets = [{}], sessions = 100, connections = 100, interfaces = [] } = options;
    const made = targets.map(makeTarget);
    this.units = new Map(made.map(({ config, units }) => [config.name, units]));
    this.#settings = {
      targets: made,
      elsewhere: [],
      limits: { sessions, connections, discoverySessions: 16 },
      interfaces,
      ping: options.ping ?? { pingSeconds: 30, pingTimeoutSeconds: 30 },
      chap: { chap: undefined, chapMinimum: "md5", ...options.chap },
    };
    this.node = new TargetNode({
      ...this.#settings,
      clock: this.clock,
      randomBytes: options.randomBytes ?? countingBytes(),
      log: new EventLog((event) => this.events.push(event)),
    });
  }

  /** Has the node serve other targets, all of them new. */
  serveInstead(targets: readonly TargetSpec[]): void {
    this.node.reconfigure({ ...this.#settings, targets: targets.map(makeTarget) });
  }

  /** Connects, and shows both sides. */
  open({ ends = {}, ...options }: ConnectOptions = {}): Served {
    const [ours, theirs] = createPipe(options);
    const stream = new CountedStream(theirs);
    const served = this.node.serve(stream, { ...ENDS, ...ends });
    // A test that awaits it sees the rejection; until then it must not end the test run.
    served.catch(() => {});
    const initiator = new Initiator(ours, { firstCmdSn: 1, ...options });
    const connection = { initiator, served, traffic: stream.traffic, isClosed: () => stream.isClosed };
    this.#connections.push(connection);
    return connection;
  }

  /** Connects. */
  connect(options: ConnectOptions = {}): Initiator {
    return this.open(options).initiator;
  }

  /** Connects and logs in to a target, by default `disk`, and receives its units' first unit attention. */
  async logIn(
    options: LoginOptions & { unitCount?: number } = {},
    connect: ConnectOptions = {},
  ): Promise<Initiator> {
    const initiator = this.connect(connect);
    await initiator.login({ targetName: nameOf(), ...options });
    await hearAttentions(initiator, options.unitCount ?? 1);
    return initiator;
  }

  /**
   * Connects and logs in a session with several connections, of which connection n has n as its identifier. All units
   * have reported their first unit attention.
   */
  async logInSession(
    count: number,
    { connect = {}, ...options }: LoginOptions & { unitCount?: number; connect?: ConnectOptions } = {},
  ): Promise<MultipleConnections> {
    const keys = { MaxConnections: "8", ...options.keys };
    const leading = this.open(connect);
    const { tsih } = await leading.initiator.login({ targetName: nameOf(), ...options, keys });
    await hearAttentions(leading.initiator, options.unitCount ?? 1);
    const connections = [leading];
    for (let connectionId = 1; connectionId < count; connectionId++) {
      connections.push(await this.join(leading.initiator, { ...options, tsih, connectionId }, connect));
    }
    return { tsih, connections, initiators: connections.map(({ initiator }) => initiator) };
  }

  /** Connects and joins a session. */
  async join(
    leading: Initiator,
    options: LoginOptions & { readonly tsih: number },
    connect: ConnectOptions = {},
  ): Promise<Served> {
    const served = this.open({ ...connect, numbers: leading.numbers });
    await served.initiator.join(leading, { targetName: nameOf(), ...options, keys: {} });
    return served;
  }

  /** Everybody but one goes, and the node must notice. */
  async endOthers(staying: Initiator): Promise<void> {
    const going = this.#connections.filter(({ initiator }) => initiator !== staying);
    for (const { initiator } of going) await initiator.close();
    for (const { served } of going) await withTimeLimit(served, 5000, "end a connection");
  }

  /** Lets time go by until what is waited for has come, or has failed to. */
  async passTimeUntil<T>(awaited: Promise<T>): Promise<T> {
    let isSettled = false;
    const settled = awaited.finally(() => isSettled = true);
    settled.catch(() => {});
    for (let passedMs = 0; passedMs < 60_000; passedMs += 250) {
      await settle();
      if (isSettled) break;
      this.clock.advance(250);
    }
    return await settled;
  }

  /** Lets time go by until the node has answered over a new connection, and says how much, in steps of 250 ms. */
  async timeUntilAnswered({ traffic }: Served): Promise<number> {
    for (let passedMs = 0; passedMs < 60_000; passedMs += 250) {
      await settle();
      if (traffic.given > 0) return passedMs;
      this.clock.advance(250);
    }
    throw new Error("The node never answers");
  }

  /** Ends a test: closes every remaining connection, which the node must notice. */
  async end(): Promise<void> {
    for (const { initiator } of this.#connections) await initiator.close();
    for (const { served } of this.#connections) await withTimeLimit(served, 5000, "end a connection");
  }
}

/** Runs a test with a node, and ends it whatever happens. */
export async function withHarness(
  options: HarnessOptions,
  test: (harness: Harness) => Promise<void>,
): Promise<void> {
  const harness = new Harness(options);
  try {
    await test(harness);
  } catch (error) {
    // What the test found matters more than what that leaves behind.
    await harness.end().catch(() => {});
    throw error;
  }
  await harness.end();
}
