import { refused, refusedForParameter } from "../outcome/finished.ts";
import type { DataOut, Finished, Operation } from "../outcome/operation.ts";
import { GOOD, type Outcome } from "../outcome/outcome.ts";
import { Sense } from "../outcome/sense.ts";
import { type Bits, findSetBit } from "../dispatch/set_bits.ts";

/** A parameter list that is complete before it is used. */
class ParameterList implements DataOut {
  readonly kind = "dataOut";
  readonly refusalOfOtherLength: Finished | undefined;
  readonly #bytes: Uint8Array;
  readonly #use: (list: Uint8Array) => Operation;

  constructor(
    lengthBytes: number,
    use: (list: Uint8Array) => Operation,
    refusalOfOtherLength: Finished | undefined,
  ) {
    this.refusalOfOtherLength = refusalOfOtherLength;
    this.#bytes = new Uint8Array(lengthBytes);
    this.#use = use;
  }

  get lengthBytes(): number {
    return this.#bytes.length;
  }

  writeNow(offset: number, from: Uint8Array): Outcome {
    this.#bytes.set(from, offset);
    return GOOD;
  }

  write(offset: number, from: Uint8Array): Promise<Outcome> {
    return Promise.resolve(this.writeNow(offset, from));
  }

  /** Refuses a list that is shorter than its CDB says. */
  finish(receivedBytes: number): Operation {
    return receivedBytes < this.lengthBytes
      ? refused(Sense.invalidFieldInCommandInformationUnit)
      : this.#use(this.#bytes);
  }
}

/** Refuses a list with reserved bits set; returns undefined when none is set. */
export function refuseReserved(list: Uint8Array, reserved: Bits, offset = 0): Finished | undefined {
  const found = findSetBit(list, reserved, offset);
  return found && refusedForParameter(found.byte, found.bit);
}

/**
 * Receives the parameter list of a command. The caller has limited its length.
 *
 * @param use returns the operation that follows
 * @param refusalOfOtherLength answers an initiator that offers more or less than `lengthBytes`
 */
export function takeParameterList(
  lengthBytes: number,
  use: (list: Uint8Array) => Operation,
  refusalOfOtherLength?: Finished,
): Operation {
  return new ParameterList(lengthBytes, use, refusalOfOtherLength);
}
