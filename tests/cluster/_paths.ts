/** An initiator with a session on each floating address, which it opens again whenever it is lost. */
import { delay } from "../../lib/base/delay.ts";
import { Initiator } from "../support/initiator.ts";
import { InitiatorConnection } from "../support/initiator_connection.ts";
import { LoginRefused, type LoginResult } from "../support/initiator_login.ts";
import { TargetFault } from "../support/initiator_pdu.ts";
import { ScsiStatus, SenseKey } from "../support/initiator_sense.ts";
import type { Command, CommandResult } from "../support/initiator_transfer.ts";
import { FLOATING } from "./_cluster_conf.ts";

const PORT = 3260;

/** The target that everything uses. */
export const TARGET = "iqn.2002-08.info.netmanager:disk";

/** Milliseconds of a connection and a login, and of a command, before the initiator takes the other path. */
const CONNECT_LIMIT_MS = 1000;
const LOGIN_LIMIT_MS = 2000;
const COMMAND_LIMIT_MS = 3000;

/** Milliseconds between two attempts on paths that are down. */
const RETRY_MS = 50;

/** Class 2 of a login status (RFC 7143, 11.13.5): an initiator gives up. */
const INITIATOR_ERROR = 0x02;

/** An answer that no initiator may get while a cluster moves its target. */
export class Refused extends Error {}

/** A session at one address. */
export class Path {
  readonly #address: string;
  readonly #initiatorName: string;
  readonly #isid: Uint8Array;
  #initiator: Initiator | undefined;
  #login: LoginResult | undefined;

  constructor(address: string, initiatorName: string, number: number) {
    this.#address = address;
    this.#initiatorName = initiatorName;
    this.#isid = Uint8Array.of(0x80, 0x17, 0, 0, 0, number);
  }

  /** The answers to the last login. */
  get login(): LoginResult | undefined {
    return this.#login;
  }

  /** True while there is a session, as far as is known. */
  get isUp(): boolean {
    return this.#initiator !== undefined;
  }

  /** Opens the session, unless there is one. */
  async open(): Promise<Initiator> {
    if (this.#initiator !== undefined) return this.#initiator;
    const initiator = await connect(this.#address);
    const timer = setTimeout(() => void initiator.close(), LOGIN_LIMIT_MS);
    try {
      this.#login = await initiator.login({
        targetName: TARGET,
        initiatorName: this.#initiatorName,
        isid: this.#isid,
      });
    } catch (error) {
      await initiator.close();
      throw error;
    } finally {
      clearTimeout(timer);
    }
    this.#initiator = initiator;
    return initiator;
  }

  /** Sends a command; a session that does not answer is closed, and the error thrown. */
  async command(command: Command): Promise<CommandResult> {
    try {
      return await (await this.open()).command(command, COMMAND_LIMIT_MS);
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  /** Closes the session without a logout. */
  async close(): Promise<void> {
    const initiator = this.#initiator;
    this.#initiator = undefined;
    await initiator?.close();
  }
}

/** Connects to an address, within the time limit. */
export async function connect(address: string): Promise<Initiator> {
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(), CONNECT_LIMIT_MS);
  try {
    const stream = await Deno.connect({ hostname: address, port: PORT, signal: limit.signal });
    stream.setNoDelay(true);
    return new Initiator(new InitiatorConnection(stream));
  } finally {
    clearTimeout(timer);
  }
}

/** An initiator with two paths. */
export class Multipath {
  readonly paths: readonly [Path, Path];
  #turn = 0;
  /** Unit attentions so far that announce a power on or reset: what was not flushed may be lost. */
  #resets = 0;

  /** @param number distinguishes the ISIDs of initiators of one name */
  constructor(initiatorName: string, number = 0) {
    const [west, east] = [FLOATING.west, FLOATING.east];
    this.paths = [
      new Path(west, initiatorName, 2 * number),
      new Path(east, initiatorName, 2 * number + 1),
    ];
  }

  get resets(): number {
    return this.#resets;
  }

  /**
   * Sends a command over either path in turn, as often as it takes.
   *
   * @param paths the paths to take
   * @throws {Refused} at an answer that a host would pass on as an error
   */
  async command(
    command: Command,
    signal?: AbortSignal,
    paths: readonly Path[] = this.paths,
  ): Promise<CommandResult> {
    while (true) {
      signal?.throwIfAborted();
      const path = paths[this.#turn++ % paths.length]!;
      const result = await this.#attempt(path, command);
      if (result === undefined) {
        if (!this.paths.some(({ isUp }) => isUp)) await delay(RETRY_MS);
      } else if (isPassing(result)) {
        if (result.sense!.code >> 8 === POWER_ON_OR_RESET) this.#resets++;
      } else return result;
    }
  }

  /** Closes both sessions. */
  async close(): Promise<void> {
    for (const path of this.paths) await path.close();
  }

  async #attempt(path: Path, command: Command): Promise<CommandResult | undefined> {
    try {
      return await path.command(command);
    } catch (error) {
      if (error instanceof TargetFault) throw new Refused(error.message);
      if (error instanceof LoginRefused && error.status >> 8 === INITIATOR_ERROR) {
        throw new Refused(error.message);
      }
      return undefined;
    }
  }
}

/** POWER ON, RESET, OR BUS DEVICE RESET OCCURRED, with any qualifier. */
const POWER_ON_OR_RESET = 0x29;

/** A host repeats a command after a unit attention. */
function isPassing({ status, sense }: CommandResult): boolean {
  return status === ScsiStatus.checkCondition && sense?.key === SenseKey.unitAttention;
}

/** Requires GOOD. @throws {Refused} at anything else */
export function requireGood(result: CommandResult, what: string): Uint8Array {
  if (result.status === ScsiStatus.good && result.response === 0) return result.data;
  const { status, response, sense } = result;
  throw new Refused(
    `${what}: response ${response}, status ${status.toString(16)}h, sense ${sense?.key}/${
      sense?.code.toString(16)
    }h`,
  );
}
