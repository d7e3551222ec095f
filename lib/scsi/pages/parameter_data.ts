import { FINISHED_GOOD } from "../outcome/finished.ts";
import type { DataIn, Operation } from "../outcome/operation.ts";
import { GOOD, type Outcome } from "../outcome/outcome.ts";

/** Parameter data that is complete before the first byte is sent. */
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
 * Sends parameter data, truncated to the allocation length. Truncation is not an error, and length fields in the data
 * count the untruncated data (SPC-4, 4.2.5.6).
 */
export function sendParameterData(bytes: Uint8Array, allocationLength: number): Operation {
  const sent = bytes.subarray(0, allocationLength);
  return sent.length === 0 ? FINISHED_GOOD : new ParameterData(sent);
}

/** Parameter data that is a list, which is encoded only as far as it is sent. */
export interface ParameterDataList<Item> {
  /** The bytes before the items, with the length of all items. */
  readonly header: Uint8Array;
  readonly items: Iterable<Item>;
  /** The length of all items together. */
  readonly itemsLengthBytes: number;
  readonly encode: (item: Item) => Uint8Array;
}

/** Sends a list as `sendParameterData` does, and encodes only the items that are sent. */
export function sendList<Item>(list: ParameterDataList<Item>, allocationLength: number): Operation {
  const { header, items, itemsLengthBytes, encode } = list;
  const data = new Uint8Array(Math.min(header.length + itemsLengthBytes, allocationLength));
  data.set(header.subarray(0, data.length));
  let offset = header.length;
  for (const item of items) {
    if (offset >= data.length) break;
    const bytes = encode(item);
    data.set(bytes.subarray(0, data.length - offset), offset);
    offset += bytes.length;
  }
  return sendParameterData(data, allocationLength);
}
