import { FINISHED_GOOD } from "./finished.ts";
import type { DataIn, Operation } from "./operation.ts";
import { GOOD, type Outcome } from "./outcome.ts";

/** Parameter data that a command sends, complete before the first byte leaves. */
class ParameterData implements DataIn {
  readonly kind = "dataIn";
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get lengthBytes(): number {
    return this.#bytes.length;
  }

  readNow(offset: number, into: Uint8Array): Outcome {
    into.set(this.#bytes.subarray(offset, offset + into.length));
    return GOOD;
  }

  read(offset: number, into: Uint8Array): Promise<Outcome> {
    return Promise.resolve(this.readNow(offset, into));
  }
}

/**
 * Sends parameter data, as much of it as the initiator has allocated room for: less is never an error, and the lengths
 * that the data itself states are those of the whole (SPC-4, 4.2.5.6).
 */
export function sendParameterData(bytes: Uint8Array, allocationLength: number): Operation {
  const sent = bytes.subarray(0, allocationLength);
  return sent.length === 0 ? FINISHED_GOOD : new ParameterData(sent);
}
