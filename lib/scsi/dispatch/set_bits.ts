import type { FieldPosition } from "../pages/mode_pages.ts";

/** Bits of a CDB or a parameter list, as pairs of byte and mask. */
export type Bits = readonly number[];

/** Returns the number of the highest set bit. */
export function highestBit(bits: number): number {
  return 31 - Math.clz32(bits);
}

/** Finds the first of some bits that is set, with its byte from the start of `bytes`; undefined when none is set. */
export function findSetBit(bytes: Uint8Array, bits: Bits, offset = 0): FieldPosition | undefined {
  for (let index = 0; index < bits.length; index += 2) {
    const byte = offset + bits[index]!;
    const set = bytes[byte]! & bits[index + 1]!;
    if (set !== 0) return { byte, bit: highestBit(set) };
  }
  return undefined;
}

/** Returns the bits of whole bytes, from `first` up to and including `last`. */
export function wholeBytes(first: number, last: number): Bits {
  return Array.from({ length: last - first + 1 }, (_, index) => [first + index, 0xff]).flat();
}
