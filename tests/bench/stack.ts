/**
 * `deno task stack [OTHER_CHECKOUT]`
 *
 * Measures the target itself: nanoseconds of a 4 KiB command, from its PDU to the bytes of its reply, without socket
 * and file. With the path of another checkout of this project both take turns within one process, a few milliseconds
 * each, so that other work of the machine slows down both; the ratio of their turns shows differences that two runs
 * of the whole benchmark cannot.
 */
import { parseArgs } from "@std/cli/parse-args";
import { fromFileUrl, resolve, toFileUrl } from "@std/path";
import type { BlockStore } from "../../lib/store/block_store.ts";
import { read16, testUnitReady, write16 } from "../support/initiator_cdb.ts";
import { ISID, Stage } from "../support/initiator_login.ts";
import { NO_TAG } from "../support/initiator_pdu.ts";
import { loginRequest, scsiCommand } from "../support/initiator_request.ts";
import { emptyStore } from "./empty_store.ts";

const SIZE_BYTES = 1 << 28;
const BLOCKS = 8;
const TURN_BATCHES = 300;
const WARM_UP_BATCHES = 3_000;
const SECONDS = 6;
/** The number of commands sent at once: one, and about as many as an initiator with 32 outstanding sends. */
const BATCHES = [1, 16];

type Kind = "read" | "write";

/** The modules of a checkout's tests that build a whole target in memory. */
interface Harness {
  readonly node: { serve(stream: FedStream, ends: unknown): Promise<void> };
}

const args = parseArgs(Deno.args);
const here = fromFileUrl(new URL("../..", import.meta.url));
const checkouts = [here, ...args._.map((path) => resolve(String(path)))];

/** Has all checkouts take turns, and describes what came out. */
async function compare(kind: Kind, batch: number): Promise<string> {
  const sides = await Promise.all(checkouts.map((checkout) => open(checkout, kind, batch)));
  for (const side of sides) await side.turn(WARM_UP_BATCHES);
  const times = sides.map((): number[] => []);
  const end = performance.now() + SECONDS * 1000;
  for (let round = 0; performance.now() < end; round++) {
    // The first turn of a round may be faster or slower, so the order alternates.
    const order = round % 2 === 0 ? sides.keys().toArray() : sides.keys().toArray().toReversed();
    for (const side of order) times[side]!.push(await sides[side]!.turn(TURN_BATCHES));
  }
  const nanoseconds = times.map((side) => median(side) * 1e6 / (TURN_BATCHES * batch));
  const ratio = times[1] === undefined
    ? ""
    : `; ratio of the turns ${median(times[0]!.map((time, round) => time / times[1]![round]!)).toFixed(3)}`;
  return nanoseconds.map((time, side) => `${time.toFixed(0)} (${checkouts[side]})`).join(", ") + ratio;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!;
}

/** Makes a target of a checkout's own code, with a session. */
async function open(checkout: string, kind: Kind, batch: number): Promise<FedStream> {
  const module = (path: string): Promise<Record<string, unknown>> =>
    import(toFileUrl(resolve(checkout, path)).href);
  // Older checkouts have it elsewhere.
  const harness = await module("tests/support/harness.ts").catch(() => module("tests/iscsi/_harness.ts"));
  const { Harness, ENDS, nameOf } = harness as {
    Harness: new (options: unknown) => Harness;
    ENDS: unknown;
    nameOf(): string;
  };
  const { AdaptiveStore } = await module("lib/store/adaptive_store.ts") as {
    AdaptiveStore: new (store: BlockStore, now: () => number) => BlockStore;
  };
  const store = new AdaptiveStore(emptyStore(SIZE_BYTES), () => performance.now());
  const stream = new FedStream(nameOf(), kind, batch);
  new Harness({ targets: [{ stores: [store] }] }).node.serve(stream, ENDS);
  return stream;
}

/** The target's end of a connection: a login, then batches of commands for as long as a turn lasts. */
class FedStream {
  readonly #login: Uint8Array;
  readonly #attention: Uint8Array;
  readonly #commands: Uint8Array;
  readonly #pduBytes: number;
  #cmdSN = 1;
  #batchesLeft = 0;
  #receptions = 0;
  #turnOver = Promise.withResolvers<void>();
  #yieldToSockets = Promise.withResolvers<void>();

  constructor(targetName: string, kind: Kind, batch: number) {
    const keys = [
      "InitiatorName=iqn.2011-07.com.example:stack",
      `TargetName=${targetName}`,
      "InitialR2T=No",
      "ImmediateData=Yes",
      "FirstBurstLength=262144",
      "MaxRecvDataSegmentLength=262144",
    ];
    const numbers = { initiatorTaskTag: 0, cmdSn: 1, expStatSn: 0 };
    this.#login = loginRequest({
      ...numbers,
      isid: ISID,
      isTransit: true,
      currentStage: Stage.operational,
      nextStage: Stage.fullFeature,
      text: new TextEncoder().encode(keys.map((key) => `${key}\0`).join("")),
    }).encode();
    const command = { ...numbers, lun: 0, isFinal: true, reads: false, writes: false, expectedLength: 0 };
    this.#attention = scsiCommand({ ...command, cdb: testUnitReady() }).encode();
    const data = new Uint8Array(BLOCKS * 512);
    const transfer = { ...command, expectedLength: data.length };
    const bytes = kind === "read"
      ? scsiCommand({ ...transfer, reads: true, cdb: read16(0, BLOCKS) }).encode()
      : scsiCommand({ ...transfer, writes: true, cdb: write16(0, BLOCKS), data }).encode();
    this.#pduBytes = bytes.length;
    this.#commands = new Uint8Array(bytes.length * batch);
    for (let index = 0; index < batch; index++) this.#commands.set(bytes, index * bytes.length);
  }

  /** Sends a number of batches to the target, and returns the milliseconds that it needed. */
  async turn(batches: number): Promise<number> {
    this.#batchesLeft = batches;
    this.#turnOver = Promise.withResolvers();
    const began = performance.now();
    this.#yieldToSockets.resolve();
    await this.#turnOver.promise;
    return performance.now() - began;
  }

  async read(into: Uint8Array): Promise<number> {
    if (this.#receptions < 2) {
      return this.#give(into, this.#receptions++ === 0 ? this.#login : this.#attention);
    }
    if (this.#batchesLeft === 0) {
      this.#yieldToSockets = Promise.withResolvers();
      this.#turnOver.resolve();
      await this.#yieldToSockets.promise;
    }
    this.#batchesLeft--;
    this.#number();
    return this.#give(into, this.#commands);
  }

  write(from: Uint8Array): Promise<number> {
    return Promise.resolve(from.length);
  }

  close(): void {
    throw new Error("The target has closed the connection");
  }

  #give(into: Uint8Array, bytes: Uint8Array): number {
    into.set(bytes);
    return bytes.length;
  }

  /** Gives each command the next CmdSN, and the same number as its task tag. */
  #number(): void {
    const view = new DataView(this.#commands.buffer);
    for (let start = 0; start < this.#commands.length; start += this.#pduBytes) {
      this.#cmdSN = (this.#cmdSN + 1) >>> 0;
      view.setUint32(start + 16, this.#cmdSN % NO_TAG);
      view.setUint32(start + 24, this.#cmdSN);
    }
  }
}

console.log(`nanoseconds of a 4 KiB command without socket and file; ${SECONDS} s a row`);
for (const kind of ["read", "write"] as const) {
  for (const batch of BATCHES) console.log(`${kind}, ${batch} at a time: ${await compare(kind, batch)}`);
}
