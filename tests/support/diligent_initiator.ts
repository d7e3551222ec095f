/**
 * An initiator that never pauses, for tests of what others may notice: it writes, reads back and compares, and keeps a
 * diary of everything that is not as it always was.
 */
import { Initiator } from "./initiator.ts";
import { ConnectionClosed } from "./initiator_connection.ts";
import { read10, testUnitReady, write10 } from "./initiator_cdb.ts";
import { LoginRefused } from "./initiator_login.ts";
import { Opcode } from "./initiator_pdu.ts";
import { ScsiStatus } from "./initiator_sense.ts";
import type { CommandResult } from "./initiator_transfer.ts";

/** The initiator's identity and the LUN that it uses. */
export interface DiligentOptions {
  readonly port: number;
  readonly targetName: string;
  readonly initiatorName?: string;
  /** Distinguishes it from other initiators of the same name. */
  readonly isid: Uint8Array;
  readonly lun?: number;
  /** The first of the `BLOCKS` blocks that it uses. */
  readonly lba: number;
  /** Logs out when asked, and logs in again, as good initiators do; otherwise it continues until it is cut off. */
  readonly obeys?: boolean;
}

/** The number of blocks that one initiator uses. */
export const BLOCKS = 256;

const BLOCKS_AT_ONCE = 16;
const BLOCK_BYTES = 512;
const FOREVER_MS = 2 ** 30;
const LOGICAL_UNIT_NOT_SUPPORTED = 0x2500;
/** The most repetitions of a command because of unit attentions. */
const ATTENTIONS_MAX = 8;

/** An initiator that does I/O from `start` to `stop`, or until its disk is gone. */
export class DiligentInitiator {
  /** The events that it noticed, in order: `3f0e` and the like are additional sense codes of unit attentions. */
  readonly diary: string[] = [];
  readonly #options: DiligentOptions;
  #rounds = 0;
  #isStopped = false;
  #wantsLogout = false;
  #initiator: Initiator | undefined;
  #work: Promise<void> = Promise.resolve();

  private constructor(options: DiligentOptions) {
    this.#options = options;
  }

  /** Logs in, takes the first unit attention, and starts the I/O. */
  static async start(options: DiligentOptions): Promise<DiligentInitiator> {
    const initiator = new DiligentInitiator(options);
    initiator.#initiator = await initiator.#logIn();
    initiator.#work = initiator.#workOn();
    return initiator;
  }

  /** The number of rounds in which it read back its own data. */
  get rounds(): number {
    return this.#rounds;
  }

  /** Resolves when it is at work no more. */
  get ended(): Promise<void> {
    return this.#work;
  }

  /** Waits until it has found what it wrote as often again. */
  async untilRounds(more: number): Promise<void> {
    const wanted = this.#rounds + more;
    for (let wait = 0; this.#rounds < wanted; wait++) {
      if (wait === 10_000 || this.#initiator === undefined) {
        throw new Error(`It works no more: ${JSON.stringify(this.diary)}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  }

  /** Waits until its diary has an entry. */
  async untilNoted(entry: string, limitMs = 20_000): Promise<void> {
    for (let waitedMs = 0; !this.diary.includes(entry); waitedMs += 5) {
      if (waitedMs >= limitMs) throw new Error(`"${entry}" is not among ${JSON.stringify(this.diary)}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  /** Ends its work and its session. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#work;
    await this.#initiator?.close();
  }

  async #logIn(): Promise<Initiator> {
    const { port, targetName, initiatorName, isid } = this.#options;
    const initiator = await Initiator.connect(port);
    try {
      await initiator.login({ targetName, isid, ...(initiatorName === undefined ? {} : { initiatorName }) });
      await initiator.command({ cdb: testUnitReady(), lun: this.#options.lun ?? 0 });
    } catch (error) {
      await initiator.close();
      throw error;
    }
    this.#wantsLogout = false;
    initiator.receive(FOREVER_MS).then((pdu) => {
      if (pdu.opcode !== Opcode.asynchronousMessage || pdu.asynchronousEvent !== 1) return;
      this.diary.push("asked to log out");
      this.#wantsLogout = true;
    }, () => {});
    return initiator;
  }

  async #workOn(): Promise<void> {
    try {
      while (!this.#isStopped && this.#initiator !== undefined) {
        if (this.#wantsLogout && this.#options.obeys !== false) await this.#logInAgain(this.#initiator);
        else if (!await this.#workOnce(this.#initiator)) return;
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
    } catch (error) {
      this.diary.push(error instanceof ConnectionClosed ? "cut off" : String(error));
      await this.#initiator?.close();
      this.#initiator = undefined;
    }
  }

  async #logInAgain(initiator: Initiator): Promise<void> {
    this.#initiator = undefined;
    try {
      await initiator.logout();
    } finally {
      await initiator.close();
    }
    try {
      this.#initiator = await this.#logIn();
      this.diary.push("logged in again");
    } catch (error) {
      if (!(error instanceof LoginRefused)) throw error;
      this.diary.push(`login refused: ${error.status.toString(16)}`);
    }
  }

  /** Writes, reads back and compares; false when the disk is gone. */
  async #workOnce(initiator: Initiator): Promise<boolean> {
    const lba = this.#options.lba + this.#rounds * BLOCKS_AT_ONCE % BLOCKS;
    const write = Uint8Array.from(
      { length: BLOCKS_AT_ONCE * BLOCK_BYTES },
      (_, index) => index * 5 + this.#rounds + this.#options.lba,
    );
    const written = await this.#perform(initiator, { cdb: write10(lba, BLOCKS_AT_ONCE), write });
    if (written === undefined) return false;
    const read = await this.#perform(initiator, { cdb: read10(lba, BLOCKS_AT_ONCE), read: write.length });
    if (read === undefined) return false;
    const isSame = read.data.length === write.length && read.data.every((byte, at) => byte === write[at]);
    if (!isSame) this.diary.push(`other data at ${lba}`);
    this.#rounds++;
    return true;
  }

  /** Runs a command, again for every unit attention; undefined when the disk is gone. */
  async #perform(
    initiator: Initiator,
    command: { cdb: Uint8Array; read?: number; write?: Uint8Array },
  ): Promise<CommandResult | undefined> {
    for (let times = 0; times < ATTENTIONS_MAX; times++) {
      const result = await initiator.command({ ...command, lun: this.#options.lun ?? 0 });
      if (result.status === ScsiStatus.good) return result;
      const code = result.sense?.code;
      this.diary.push(code === undefined ? `status ${result.status}` : code.toString(16).padStart(4, "0"));
      if (code === LOGICAL_UNIT_NOT_SUPPORTED) return undefined;
    }
    throw new Error("Too many unit attentions");
  }
}
