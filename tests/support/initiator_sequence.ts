/**
 * The rules between consecutive PDUs of a connection (RFC 7143, 4.2.2): the order of status numbers and of the
 * command window, for tests.
 */
import { serialAdd, serialDistance } from "../../lib/bytes/serial_number.ts";
import { NO_TAG, Opcode, type Pdu, TargetFault } from "./initiator_pdu.ts";

/** Reports if a PDU uses up a status number; in all others, StatSN is the next one or reserved. */
function advancesStatSn(pdu: Pdu): boolean {
  switch (pdu.opcode) {
    case Opcode.dataIn:
      return pdu.hasStatus;
    case Opcode.nopIn:
      // A ping of the target's own (11.19.4).
      return pdu.initiatorTaskTag !== NO_TAG;
    case Opcode.readyToTransfer:
      return false;
    default:
      return true;
  }
}

/** Follows the sequence numbers of one connection. */
export class SequenceObserver {
  #nextStatSn: number | undefined;
  #expCmdSn: number | undefined;
  #maxCmdSn: number | undefined;

  /** ExpStatSN of the next request: it acknowledges all that has been received. */
  get expStatSn(): number {
    return this.#nextStatSn ?? 0;
  }

  /**
   * Takes note of a received PDU.
   *
   * @throws {TargetFault} when its numbers do not follow those before
   */
  observe(pdu: Pdu): void {
    this.#observeStatSn(pdu);
    this.#observeWindow(pdu);
  }

  #observeStatSn(pdu: Pdu): void {
    if (pdu.opcode === Opcode.dataIn && !pdu.hasStatus) return;
    this.#nextStatSn ??= pdu.statSn;
    if (pdu.statSn !== this.#nextStatSn) {
      throw new TargetFault(`StatSN of ${pdu.name} is ${pdu.statSn}; expected ${this.#nextStatSn}`);
    }
    if (advancesStatSn(pdu)) this.#nextStatSn = serialAdd(this.#nextStatSn, 1);
  }

  #observeWindow(pdu: Pdu): void {
    const { expCmdSn, maxCmdSn, name } = pdu;
    if (serialDistance(this.#expCmdSn ?? expCmdSn, expCmdSn) < 0) {
      throw new TargetFault(`ExpCmdSN of ${name} went back from ${this.#expCmdSn} to ${expCmdSn}`);
    }
    if (serialDistance(this.#maxCmdSn ?? maxCmdSn, maxCmdSn) < 0) {
      throw new TargetFault(`MaxCmdSN of ${name} went back from ${this.#maxCmdSn} to ${maxCmdSn}`);
    }
    if (serialDistance(expCmdSn, maxCmdSn) < -1) {
      throw new TargetFault(`MaxCmdSN of ${name} is ${maxCmdSn}, below ExpCmdSN ${expCmdSn} - 1`);
    }
    this.#expCmdSn = expCmdSn;
    this.#maxCmdSn = maxCmdSn;
  }
}
