/** A target whose whole state can be observed, to detect the effect of a bit of a CDB or of a parameter list. */
import { formatReservations } from "../../lib/scsi/reservations/reservation_text.ts";
import type { LogicalUnit } from "../../lib/scsi/logical_unit.ts";
import { MODE_PAGES, PageControl } from "../../lib/scsi/pages/mode_pages.ts";
import type { Nexus } from "../../lib/scsi/nexus.ts";
import { FaultyStore } from "../support/faulty_store.ts";
import { MemoryStore } from "../support/memory_store.ts";
import { RecordingStore } from "../support/recording_store.ts";
import {
  bytes,
  cdb,
  complete,
  makeTarget,
  makeUnit,
  openReadyNexus,
  pattern,
  type Result,
  run,
} from "./fixture.ts";

export const NAAS = ["3000000000000001", "3000000000000002"] as const;
const SIZE_BYTES = 64 * 1024;

/** The content of every other page of a unit, different in each block. */
const CONTENT = pattern(SIZE_BYTES, 3);

/** One initiator at two units of 64 KiB, of whose pages every other one is mapped. */
export class World {
  readonly stores: readonly RecordingStore[];
  readonly faulty: FaultyStore;
  readonly units: readonly LogicalUnit[];
  readonly nexus: Nexus;
  readonly #memories: readonly MemoryStore[];

  constructor() {
    this.#memories = NAAS.map(() => new MemoryStore({ sizeBytes: SIZE_BYTES, canUnmap: true }));
    for (const memory of this.#memories) {
      for (let at = 0; at < SIZE_BYTES; at += 8192) memory.writeNow(at, CONTENT.subarray(at, at + 4096));
    }
    this.faulty = new FaultyStore(this.#memories[0]!);
    this.stores = [new RecordingStore(this.faulty), new RecordingStore(this.#memories[1]!)];
    this.units = NAAS.map((naa, index) => {
      const store = this.stores[index]!;
      const reservationStore = { saved: undefined, save: () => Promise.resolve() };
      return makeUnit({ identity: { naa, serialNumber: naa }, store, reservationStore });
    });
    this.nexus = openReadyNexus(makeTarget(...this.units), this.units.length);
  }

  /** Executes a command and ignores its result. */
  async prepare(block: string, dataOut = ""): Promise<void> {
    await run(this.nexus, cdb(block), { dataOut: bytes(dataOut) });
  }

  /** Executes a command, and returns all of its effects. */
  async observe(block: Uint8Array, dataOut: Uint8Array): Promise<Observation> {
    for (const { diary } of this.stores) diary.length = 0;
    const operation = this.nexus.execute(0, block);
    const result = await complete(operation, { dataOut, pieceBytes: 131_072 });
    const world = await this.#snapshot();
    return { result, world: JSON.stringify({ kind: operation.kind, ...world, ...textOf(result) }) };
  }

  async #snapshot(): Promise<Record<string, unknown>> {
    const unit = this.units[0]!;
    const { reservations, modes, eraser } = unit;
    return {
      diaries: this.stores.map(({ diary }) => diary.join()),
      contents: await Promise.all(this.#memories.map((memory) => digestOf(memory))),
      pages: this.#memories.map((memory) => memory.pageCount),
      // In full, even if the state does not persist.
      reservations: formatReservations({ ...reservations.state, persists: true }),
      persists: reservations.state.persists,
      generation: reservations.state.generation,
      reserver: reservations.reserver,
      modes: Object.values(MODE_PAGES).map((page) => Array.from(modes.values(page, PageControl.current))),
      removalPrevented: unit.removalPrevented,
      notReady: unit.notReady,
      failure: eraser.failure,
      copy: textOf(await run(this.nexus, cdb("84 00 07 00 00 00 00 00 00 00 00 00 00 ff"))),
    };
  }
}

/** The effects of a command. */
export interface Observation {
  readonly result: Result;
  /** The state and the result, as text. */
  readonly world: string;
}

function textOf({ outcome, sense, data, lengthBytes }: Result): Record<string, unknown> {
  return { outcome, sense: sense?.toHex(), data: data.toHex(), lengthBytes };
}

async function digestOf(memory: MemoryStore): Promise<string> {
  const content = new Uint8Array(memory.sizeBytes);
  memory.readNow(0, content);
  return new Uint8Array(await crypto.subtle.digest("SHA-1", content)).toHex();
}

/** Returns the same bytes with one bit flipped, counted from bit 7 of byte 0. */
export function flipBit(original: Uint8Array, bit: number): Uint8Array {
  const flipped = original.slice();
  flipped[bit >> 3]! ^= 0x80 >> (bit & 7);
  return flipped;
}
