/** A reservation that must outlast every takeover: its holder, and an initiator that it keeps out. */
import { delay } from "../../lib/base/delay.ts";
import { write16 } from "../support/initiator_cdb.ts";
import { ScsiStatus } from "../support/initiator_sense.ts";
import { Multipath, requireGood } from "./_paths.ts";
import { makeRecord, RECORD_BLOCKS } from "./_records.ts";

const KEY = "000000000c1a57e6";

/** Service actions of PERSISTENT RESERVE OUT (SPC-4, 6.16.2), and a type: Exclusive Access - Registrants Only. */
const REGISTER_AND_IGNORE = 6;
const RESERVE = 1;
const EXCLUSIVE_REGISTRANTS = 6;
const APTPL = 0x01;

/** Milliseconds between two attempts of the intruder. */
const INTRUSION_MS = 40;

/** The number in the records of the intruder, which may never be read. */
const INTRUDER = 99;

/** Registers both paths of an initiator with APTPL, and reserves the LUN for them. */
export async function reserve(owner: Multipath, lun: number): Promise<void> {
  for (const path of owner.paths) {
    const list = new Uint8Array(24);
    list.set(Uint8Array.fromHex(KEY), 8);
    list[20] = APTPL;
    const command = { cdb: reserveOut(REGISTER_AND_IGNORE), lun, write: list };
    requireGood(await owner.command(command, undefined, [path]), "REGISTER");
  }
  const list = new Uint8Array(24);
  list.set(Uint8Array.fromHex(KEY), 0);
  requireGood(await owner.command({ cdb: reserveOut(RESERVE), lun, write: list }), "RESERVE");
}

function reserveOut(serviceAction: number): Uint8Array {
  return Uint8Array.of(0x5f, serviceAction, EXCLUSIVE_REGISTRANTS, 0, 0, 0, 0, 0, 24, 0);
}

/** An initiator without a registration, which tries to write again and again. */
export class Intruder {
  readonly #paths = new Multipath("iqn.2000-01.test:intruder");
  readonly #lun: number;
  readonly #stop = new AbortController();
  /** Attempts that were refused. */
  refused = 0;
  /** Other answers, each once. */
  readonly faults = new Set<string>();
  #work: Promise<void> = Promise.resolve();

  constructor(lun: number) {
    this.#lun = lun;
  }

  /** Begins to try. */
  start(): void {
    this.#work = this.#run();
    this.#work.catch((error) => this.faults.add(`${error}`));
  }

  /** Ends. */
  async end(): Promise<void> {
    this.#stop.abort();
    await this.#work.catch(() => {});
    await this.#paths.close();
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      const write = makeRecord(INTRUDER, 1);
      const { status } = await this.#paths.command(
        { cdb: write16(0, RECORD_BLOCKS), lun: this.#lun, write },
        signal,
      );
      if (status === ScsiStatus.reservationConflict) this.refused++;
      else this.faults.add(`The reservation did not keep out a WRITE: status ${status.toString(16)}h`);
      await delay(INTRUSION_MS, signal);
    }
  }
}
