/**
 * Peers that try to make a node keep much, each measured: how much more memory is in use after an attack than before,
 * when everything that is garbage has been collected.
 *
 * It is a program of its own, since only a process that was started for that lets a test collect garbage:
 * `deno run -A --v8-flags=--expose-gc tests/iscsi/node/_memory_attacks.ts [NAME ...]` prints a line for each attack.
 */
import { Limits } from "../../../lib/iscsi/limits.ts";
import { COLLECTED_BYTES_MAX } from "../../../lib/scsi/medium/atomic_limits.ts";
import { Initiator } from "../../support/initiator.ts";
import { synchronizeCache10, testUnitReady, verify10, write10 } from "../../support/initiator_cdb.ts";
import type { LoginOptions } from "../../support/initiator_login.ts";
import { NO_TAG } from "../../support/initiator_pdu.ts";
import {
  Attribute,
  dataOut,
  loginRequest,
  logoutRequest,
  nopOut,
  type RequestPdu,
  scsiCommand,
  TaskManagement,
  taskManagementRequest,
  textRequest,
} from "../../support/initiator_request.ts";
import { MemoryStore } from "../../support/memory_store.ts";
import { type ByteStream, createPipe } from "../../support/pipe.ts";
import { SlowStore } from "../../support/slow_store.ts";
import { ENDS, Harness, nameOf } from "../../support/harness.ts";
import { nextTurn } from "../../support/until.ts";

const MIB = 1024 * 1024;
const SIZE = 64 * MIB;

/** The capacity of a pipe in each direction. It counts as memory in use, although it belongs to the test. */
const PIPE_BYTES = 65_536;

/** An initiator that sends anything, and keeps nothing that it receives. */
class Peer {
  readonly initiator: Initiator;
  readonly served: Promise<void>;
  readonly #stream: ByteStream;
  #tag = 1000;
  /** The next number of a command. */
  cmdSn = 0;

  constructor({ node }: Harness, peerAddress: string = ENDS.peerAddress) {
    const [ours, theirs] = createPipe({ capacityBytes: PIPE_BYTES });
    this.#stream = ours;
    this.served = node.serve(theirs, { ...ENDS, peerAddress }).catch(() => {});
    this.initiator = new Initiator(ours, { firstCmdSn: 1 });
  }

  async logIn(options: LoginOptions = {}): Promise<this> {
    await this.initiator.login(options);
    if (options.targetName !== undefined) await this.initiator.command({ cdb: testUnitReady() });
    this.cmdSn = this.initiator.nextCmdSn;
    return this;
  }

  /** Takes whatever comes from now on, and drops it. */
  listen(): this {
    this.#drop().catch(() => {});
    return this;
  }

  async #drop(): Promise<void> {
    const into = new Uint8Array(65_536);
    while (await this.#stream.read(into) !== null) { /* It is not looked at. */ }
  }

  /** Sends PDUs one behind another. Those that follow the end of the connection are lost. */
  async send(pdus: Iterable<RequestPdu>): Promise<void> {
    try {
      for (const pdu of pdus) {
        let bytes = pdu.encode();
        while (bytes.length > 0) bytes = bytes.subarray(await this.#stream.write(bytes));
      }
    } catch {
      // The connection is over.
    }
    await handled();
  }

  request(
    isImmediate = true,
  ): { isImmediate: boolean; initiatorTaskTag: number; cmdSn: number; expStatSn: number } {
    const cmdSn = isImmediate ? this.cmdSn : this.cmdSn++;
    return { isImmediate, initiatorTaskTag: this.#tag++, cmdSn, expStatSn: 0 };
  }

  close(): void {
    this.#stream.close();
  }
}

/** Waits until a node has handled all that it was sent. A login computes on another thread. */
async function handled(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await nextTurn();
  await new Promise((resolve) => setTimeout(resolve, 0));
}

function isidOf(number: number): Uint8Array {
  return Uint8Array.of(0x80, 0, 0, 1, number >> 8, number & 0xff);
}

async function logInPeers(harness: Harness, count: number, options: LoginOptions): Promise<Peer[]> {
  const peers: Peer[] = [];
  for (let number = 0; number < count; number++) {
    peers.push(await new Peer(harness).logIn({ ...options, isid: isidOf(number) }));
  }
  return peers;
}

const DISK: LoginOptions = { targetName: nameOf() };

/** A read, a write and others, but for their numbers. */
function command(
  peer: Peer,
  cdb: Uint8Array,
  options: Partial<Parameters<typeof scsiCommand>[0]> = {},
): RequestPdu {
  const request = peer.request(options.isImmediate ?? false);
  return scsiCommand({
    ...request,
    isFinal: true,
    reads: false,
    writes: false,
    lun: 0,
    expectedLength: 0,
    cdb,
    ...options,
  });
}

function manage(peer: Peer, fn: number, fields: { referencedTaskTag?: number } = {}): RequestPdu {
  return taskManagementRequest({ ...peer.request(), function: fn, lun: 0, ...fields });
}

/** An attack that makes a node keep something. The peers that it prepares stay until it has been measured. */
interface Attack {
  /** Most that may be in use afterwards, all peers together. */
  readonly boundBytes: number;
  readonly prepare: (harness: Harness) => Promise<readonly Peer[]>;
  readonly attack: (peers: readonly Peer[], harness: Harness) => Promise<void>;
  readonly store?: () => MemoryStore | SlowStore;
}

function slowStore(): SlowStore {
  return new SlowStore(new MemoryStore({ sizeBytes: SIZE }));
}

/** The attacks, by name. */
export const ATTACKS: Readonly<Record<string, Attack>> = {
  "text in PDUs of one byte": {
    boundBytes: 4 * 2 * Limits.textBytes + MIB,
    prepare: (harness) => logInPeers(harness, 4, {}),
    attack: async (peers) => {
      for (const peer of peers) {
        const pdus = function* (): Generator<RequestPdu> {
          for (let count = 0; count < 12_000; count++) {
            const request = { ...peer.request(), isFinal: false, isContinued: true };
            const targetTransferTag = count === 0 ? NO_TAG : 1;
            yield textRequest({ ...request, targetTransferTag, text: Uint8Array.of(65) });
          }
        };
        await peer.listen().send(pdus());
      }
    },
  },

  "a text exchange about 256 keys with values of 60,000 bytes": {
    boundBytes: MIB,
    prepare: (harness) => logInPeers(harness, 4, DISK),
    attack: async (peers) => {
      const value = "v".repeat(60_000);
      for (const peer of peers) {
        const pdus = function* (): Generator<RequestPdu> {
          for (let count = 0; count < Limits.textKeys; count++) {
            const text = new TextEncoder().encode(`X-com.example.key${count}=${value}\0`);
            yield textRequest({
              ...peer.request(),
              isFinal: false,
              targetTransferTag: count === 0 ? NO_TAG : 1,
              text,
            });
          }
        };
        await peer.listen().send(pdus());
      }
    },
  },

  "empty Data-Outs for a command that is held": {
    boundBytes: 4 * Limits.heldCommandBytes,
    prepare: (harness) => logInPeers(harness, 4, { ...DISK, keys: { InitialR2T: "No" } }),
    attack: async (peers) => {
      for (const peer of peers) {
        // The command before it never comes.
        peer.cmdSn++;
        const write = command(peer, write10(0, 8), { writes: true, isFinal: false, expectedLength: 4096 });
        const initiatorTaskTag = peer.request().initiatorTaskTag - 1;
        const empty = dataOut({
          isFinal: false,
          lun: 0,
          initiatorTaskTag,
          expStatSn: 0,
          dataSn: 0,
          bufferOffset: 0,
          data: new Uint8Array(0),
        });
        await peer.listen().send([write, ...Array<RequestPdu>(20_000).fill(empty)]);
      }
    },
  },

  "commands that are aborted while a slow medium verifies": {
    boundBytes: 8 * MIB,
    store: slowStore,
    prepare: (harness) => logInPeers(harness, 1, DISK),
    attack: async ([peer]) => {
      peer!.listen();
      for (let round = 0; round < 20; round++) {
        const pdus = Array.from({ length: 100 }, () => {
          const verify = command(peer!, verify10(0, 4096));
          const referencedTaskTag = peer!.request().initiatorTaskTag - 1;
          return [verify, manage(peer!, TaskManagement.abortTask, { referencedTaskTag })];
        });
        await peer!.send(pdus.flat());
      }
    },
  },

  "unsolicited data of commands that wait for their turn": {
    boundBytes: COLLECTED_BYTES_MAX + 4 * MIB,
    store: slowStore,
    prepare: (harness) =>
      logInPeers(harness, 1, { ...DISK, keys: { InitialR2T: "No", FirstBurstLength: "262144" } }),
    attack: async ([peer], harness) => {
      peer!.listen();
      const options = {
        writes: true,
        expectedLength: 262_144,
        attribute: Attribute.ordered,
        data: new Uint8Array(262_144),
      };
      for (let round = 0; round < 7; round++) {
        if (round > 0) await peer!.send([manage(peer!, TaskManagement.abortTaskSet)]);
        await peer!.send(Array.from({ length: 100 }, () => command(peer!, write10(0, 512), options)));
        harness.clock.advance(Limits.owedMs);
        await handled();
      }
    },
  },

  "commands of sessions that are lost while a slow medium flushes": {
    boundBytes: 6 * MIB,
    store: slowStore,
    prepare: () => Promise.resolve([]),
    attack: async (_, harness) => {
      for (let round = 0; round < 60; round++) {
        const options = { ...DISK, keys: { MaxRecvDataSegmentLength: "262144" } };
        const peer = await new Peer(harness).logIn(options).catch(() => undefined);
        // As many sessions are over but for their flushes as there may be.
        if (peer === undefined) continue;
        const flushes = Array.from({ length: 120 }, () => command(peer, synchronizeCache10()));
        // Their answers are not taken, and wait in buffers that end with the connection.
        const pings = Array.from(
          { length: 2 },
          () => nopOut({ ...peer.request(), data: new Uint8Array(262_144) }),
        );
        await peer.send([...flushes, ...pings]);
        peer.close();
        await peer.served;
      }
    },
  },

  "R2Ts of tasks that were aborted, and that are never answered": {
    boundBytes: MIB,
    prepare: (harness) =>
      logInPeers(harness, 1, {
        ...DISK,
        keys: { InitialR2T: "Yes", ImmediateData: "No", MaxBurstLength: "512", MaxOutstandingR2T: "8" },
      }),
    attack: async ([peer], harness) => {
      peer!.listen();
      for (let round = 0; round < 100; round++) {
        const writes = Array.from(
          { length: 64 },
          () => command(peer!, write10(0, 8), { writes: true, expectedLength: 4096 }),
        );
        await peer!.send([...writes, manage(peer!, TaskManagement.abortTaskSet)]);
        harness.clock.advance(Limits.owedMs);
        await handled();
      }
    },
  },

  "logins that stop half-way, each with much text": {
    boundBytes: Limits.connectionsInLogin *
      (Limits.receiveBufferLoginBytes + 2 * 65_536 + 2 * Limits.textBytes + 3 * PIPE_BYTES),
    prepare: () => Promise.resolve([]),
    attack: async (_, harness) => {
      for (let count = 0; count < 300; count++) {
        const piece = (text: Uint8Array): RequestPdu =>
          loginRequest({
            isTransit: false,
            isContinued: true,
            currentStage: 1,
            nextStage: 0,
            isid: isidOf(count),
            initiatorTaskTag: 1,
            cmdSn: 1,
            expStatSn: 0,
            text,
          });
        const peer = new Peer(harness, `10.2.${count >> 8}.${count & 0xff}`);
        await peer.send(Array.from({ length: 7 }, () => piece(new Uint8Array(8192).fill(65))));
      }
    },
  },

  "logins that fail, each with other names and much text": {
    boundBytes: 2 * MIB,
    prepare: () => Promise.resolve([]),
    attack: async (_, harness) => {
      const padding = Object.fromEntries(
        Array.from({ length: 7 }, (_, index) => [`X-com.example.k${index}`, "v".repeat(1000)]),
      );
      for (let count = 0; count < 2000; count++) {
        const peer = new Peer(harness, `10.1.${count >> 8}.${count & 0xff}`);
        const initiatorName = `iqn.2000-01.com.example:initiator-number-${count}`;
        const targetName = nameOf(`no-such-target-${count}`);
        await peer.initiator.login({ initiatorName, targetName, keys: padding, hasSecurityStage: false })
          .catch(() => {});
        peer.close();
        await peer.served;
      }
    },
  },

  "sessions that come and go, each with another name": {
    boundBytes: 4 * MIB,
    prepare: () => Promise.resolve([]),
    attack: async (_, harness) => {
      const padding = Object.fromEntries(
        Array.from({ length: 7 }, (_, index) => [`X-com.example.k${index}`, "v".repeat(1000)]),
      );
      for (let count = 0; count < 1000; count++) {
        const peer = new Peer(harness);
        const initiatorName = `iqn.2000-01.com.example:initiator-number-${count}`;
        await peer.logIn({ ...DISK, initiatorName, keys: padding, hasSecurityStage: false });
        peer.close();
        await peer.served;
      }
    },
  },

  "connections that have logged out, and do not take the end of what they asked for": {
    // Both halves of the send buffer, and no receive buffer.
    boundBytes: Limits.connectionsInLoginPerAddress * (2 * Limits.sendBufferBytes + 4 * PIPE_BYTES),
    prepare: () => Promise.resolve([]),
    attack: async (_, harness) => {
      for (let count = 0; count < 150; count++) {
        const options = { ...DISK, keys: { MaxRecvDataSegmentLength: "262144" } };
        const [peer] = await logInPeers(harness, 1, options);
        const pings = Array.from(
          { length: 2 },
          () => nopOut({ ...peer!.request(), data: new Uint8Array(262_144) }),
        );
        await peer!.send([...pings, logoutRequest({ ...peer!.request(), reason: 0 })]);
      }
    },
  },

  "task management requests that wait for what is owed": {
    boundBytes: MIB,
    prepare: (harness) => logInPeers(harness, 1, DISK),
    attack: async ([peer]) => {
      const writes = Array.from(
        { length: 64 },
        () => command(peer!, write10(0, 8), { writes: true, expectedLength: 4096 }),
      );
      const requests = Array.from({ length: 5000 }, () => manage(peer!, TaskManagement.logicalUnitReset));
      await peer!.listen().send([...writes, ...requests]);
    },
  },
};

interface Collector {
  gc?: () => void;
}

async function collected(): Promise<number> {
  const { gc } = globalThis as Collector;
  if (gc === undefined) throw new Error("Run it with --v8-flags=--expose-gc");
  for (let round = 0; round < 4; round++) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    gc();
  }
  const { heapUsed, external } = Deno.memoryUsage();
  return heapUsed + external;
}

async function measure({ prepare, attack, store }: Attack): Promise<number> {
  const stores = [store?.() ?? new MemoryStore({ sizeBytes: SIZE })];
  const harness = new Harness({ targets: [{ stores }], sessions: 8, connections: 8 });
  const peers = await prepare(harness);
  const before = await collected();
  await attack(peers, harness);
  // The events of the log belong to the test.
  harness.events.length = 0;
  const after = await collected();
  // Everybody is still there while it is measured.
  for (const peer of peers) peer.close();
  return after - before;
}

if (import.meta.main) {
  const wanted = Deno.args.length > 0 ? Deno.args : Object.keys(ATTACKS);
  for (const name of wanted) {
    const bytes = await measure(ATTACKS[name]!);
    console.log(JSON.stringify({ name, bytes, boundBytes: ATTACKS[name]!.boundBytes }));
  }
  Deno.exit(0);
}
