import { assertEquals, assertStrictEquals } from "@std/assert";
import type { BlockStore } from "../../lib/store/block_store.ts";
import { StoreLayer } from "../../lib/store/store_layer.ts";

class PlainLayer extends StoreLayer {}

Deno.test("StoreLayer forwards every operation with its arguments, and returns what the lower store does", () => {
  const calls: unknown[][] = [];
  const results = new Map<PropertyKey, unknown>();
  const properties = { sizeBytes: 4096, readOnly: true, canUnmap: true };
  const lower = new Proxy(properties, {
    get: (target, name) =>
      Reflect.get(target, name) ?? ((...args: unknown[]) => {
        calls.push([name, ...args]);
        results.set(name, Symbol(String(name)));
        return results.get(name);
      }),
  }) as unknown as BlockStore;
  const layer = new PlainLayer(lower);
  assertEquals([layer.sizeBytes, layer.readOnly, layer.canUnmap], [4096, true, true]);
  const bytes = new Uint8Array(8);
  const ranges = [{ offset: 0, lengthBytes: 8 }];
  const operations: readonly [keyof BlockStore, ...unknown[]][] = [
    ["readNow", 1, bytes],
    ["read", 2, bytes],
    ["writeNow", 3, bytes],
    ["write", 4, bytes],
    ["flush"],
    ["unmap", ranges],
    ["extentAt", 5],
  ];
  for (const [name, ...args] of operations) {
    const result = (layer[name] as (...args: unknown[]) => unknown)(...args);
    assertEquals(calls.at(-1), [name, ...args]);
    assertStrictEquals(result, results.get(name));
  }
  layer.close();
  assertEquals(calls.at(-1), ["close"]);
});
