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

/**
 * Receives the parameter list of a command whose CDB has no length of it: as much as the initiator offers.
 *
 * @param lengthMaxBytes the length of the longest list
 * @param use returns the operation that follows, which checks the length
 */
export function takeOfferedList(
  lengthMaxBytes: number,
  use: (list: Uint8Array) => Operation,
): DataOut {
  const list = new Uint8Array(lengthMaxBytes);
  let lengthBytes = lengthMaxBytes;
  const writeNow = (offset: number, from: Uint8Array): Outcome => {
    list.set(from, offset);
    return GOOD;
  };
  return {
    kind: "dataOut",
    get lengthBytes(): number {
      return lengthBytes;
    },
    adaptTo: (offeredBytes) => lengthBytes = Math.min(lengthMaxBytes, offeredBytes),
    writeNow,
    write: (offset, from) => Promise.resolve(writeNow(offset, from)),
    finish: (receivedBytes) => use(list.subarray(0, receivedBytes)),
  };
}
