/**
 * The other end of an initiator under test: it sends the bytes that the test gives it.
 */
import { createPipe, type PipeOptions } from "./pipe.ts";
import { Initiator, type InitiatorOptions } from "./initiator.ts";
import { InitiatorConnection } from "./initiator_connection.ts";
import type { Pdu } from "./initiator_pdu.ts";
import type { LoginOptions, LoginResult } from "./initiator_login.ts";

/** Returns the bytes of hexadecimal text, in which blanks are ignored. */
export function hex(...text: readonly string[]): Uint8Array {
  return Uint8Array.fromHex(text.join("").replaceAll(/\s/g, ""));
}

/** Returns the text of bytes, in words of four. */
export function toHex(bytes: Uint8Array): string {
  return bytes.toHex().replaceAll(/.{8}(?=.)/g, "$& ");
}

/** A target that knows nothing. */
export class ScriptedTarget {
  readonly #connection: InitiatorConnection;

  constructor(connection: InitiatorConnection) {
    this.#connection = connection;
  }

  /** An initiator and the target that it is connected to. */
  static connect(
    options: InitiatorOptions & PipeOptions = {},
  ): { initiator: Initiator; target: ScriptedTarget } {
    const [ours, theirs] = createPipe(options);
    return {
      initiator: new Initiator(ours, { firstCmdSn: 1, ...options }),
      target: new ScriptedTarget(new InitiatorConnection(theirs)),
    };
  }

  /** The next PDU of the initiator. */
  receive(timeLimitMs?: number): Promise<Pdu> {
    return this.#connection.receive(timeLimitMs);
  }

  /** Sends the bytes of the text. */
  async send(...text: readonly string[]): Promise<void> {
    await this.#connection.send(hex(...text));
  }

  async close(): Promise<void> {
    await this.#connection.close();
  }

  /** Lets the initiator log in, in one PDU; our keys are those that change what it sends. */
  async admit(initiator: Initiator, options: LoginOptions = {}): Promise<LoginResult> {
    const login = initiator.login({
      hasSecurityStage: false,
      targetName: "iqn.2002-08.info.netmanager:a",
      ...options,
    });
    await this.receive();
    const text = [
      "MaxRecvDataSegmentLength=1024",
      "InitialR2T=No",
      "FirstBurstLength=2048",
      "MaxBurstLength=4096",
    ];
    const data = new TextEncoder().encode(`${text.join("\0")}\0`);
    const padding = "00".repeat((4 - data.length % 4) % 4);
    await this.send(
      "23870000",
      data.length.toString(16).padStart(8, "0"),
      "80123456 00010001 00000001 00000000 00000010 00000001 00000020 00000000 00000000 00000000",
      data.toHex(),
      padding,
    );
    return await login;
  }
}

/** Runs a test with an initiator that is logged in: its next tag is 2, its next CmdSN 1, the next StatSN 11h. */
export async function withSession(
  test: (initiator: Initiator, target: ScriptedTarget) => Promise<void>,
  options: InitiatorOptions & PipeOptions = {},
): Promise<void> {
  const { initiator, target } = ScriptedTarget.connect(options);
  try {
    await target.admit(initiator);
    await test(initiator, target);
  } finally {
    await initiator.close();
    await target.close();
  }
}

/** A response GOOD to the first command of such an initiator. */
export const GOOD =
  "21800000 00000000 00000000 00000000 00000002 00000000 00000011 00000002 00000021 00000000 00000000 00000000";
