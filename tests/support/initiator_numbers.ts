/**
 * The numbers and tags that the connections of an initiator's session share (RFC 7143, 4.2.2.1), for tests.
 */
import { serialAdd, serialDistance } from "../../lib/bytes/serial_number.ts";
import type { Pdu } from "./initiator_pdu.ts";

/** The numbers of a session's commands, the window that the target has given, and the tags of its tasks. */
export class SessionNumbers {
  #nextCmdSn: number;
  #nextTag = 1;
  #maxCmdSn: number | undefined;
  #expCmdSn: number | undefined;

  constructor(firstCmdSn: number) {
    this.#nextCmdSn = firstCmdSn;
  }

  get nextCmdSn(): number {
    return this.#nextCmdSn;
  }
  get maxCmdSn(): number | undefined {
    return this.#maxCmdSn;
  }
  get expCmdSn(): number | undefined {
    return this.#expCmdSn;
  }

  takeCmdSn(): number {
    const cmdSn = this.#nextCmdSn;
    this.#nextCmdSn = serialAdd(cmdSn, 1);
    return cmdSn;
  }

  takeTag(): number {
    return this.#nextTag++;
  }

  /** Takes the window of a PDU. PDUs of different connections may overtake each other, so the largest numbers count. */
  observe({ expCmdSn, maxCmdSn }: Pdu): void {
    this.#expCmdSn = later(this.#expCmdSn, expCmdSn);
    this.#maxCmdSn = later(this.#maxCmdSn, maxCmdSn);
  }
}

function later(before: number | undefined, now: number): number {
  return before === undefined || serialDistance(before, now) > 0 ? now : before;
}
