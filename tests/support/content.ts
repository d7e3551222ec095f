import { assertEquals } from "@std/assert";
import type { BlockStore } from "../../lib/store/block_store.ts";
/** Bytes that differ from those with another seed at nearly every place. */
export function pattern(lengthBytes: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(lengthBytes);
  for (let index = 0; index < lengthBytes; index++) bytes[index] = index * 7 + (index >> 8) + seed * 31;
  return bytes;
}

/** Bytes in short, for comparing many of them at once: equal texts are equal bytes. */
export async function digest(bytes: Uint8Array): Promise<string> {
  const copy = new Uint8Array(bytes);
  return `${bytes.length} bytes ${new Uint8Array(await crypto.subtle.digest("SHA-1", copy)).toHex()}`;
}

/** Asserts that bytes are equal, without a difference of megabytes. */
export async function assertSameBytes(actual: Uint8Array, expected: Uint8Array, what = ""): Promise<void> {
  assertEquals(await digest(actual), await digest(expected), what);
}

/** The bytes of a store. */
export function contentOf(store: BlockStore, offset: number, lengthBytes: number): Uint8Array {
  const bytes = new Uint8Array(lengthBytes);
  store.readNow(offset, bytes);
  return bytes;
}
