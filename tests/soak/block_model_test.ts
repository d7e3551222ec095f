import { assertEquals } from "@std/assert";
import { blocksOf } from "../crash/_notes.ts";
import { BlockModel } from "./_block_model.ts";

Deno.test("BlockModel finds zeros, and then what was written", () => {
  const model = new BlockModel(100, 8);
  assertEquals(model.check(100, new Uint8Array(8 * 512)), undefined);
  model.written(102, 2, 7);
  assertEquals(model.check(102, blocksOf(7, 102, 2)), undefined);
  assertEquals(model.check(101, new Uint8Array(3 * 512)), "block 102 holds write 0 and not 7");
  assertEquals(model.check(102, blocksOf(7, 103, 2)), "block 102 holds bytes that nobody wrote and not 7");
});

Deno.test("BlockModel takes either where a write is in doubt, and keeps to what it found", () => {
  const model = new BlockModel(0, 2);
  model.written(0, 2, 7);
  model.doubt(0, 2, 8);
  assertEquals([model.whole(0, 2), model.known(0, 2)], [undefined, undefined]);
  assertEquals(model.check(0, blocksOf(8, 0, 1)), undefined);
  assertEquals(model.check(0, blocksOf(7, 0, 1)), "block 0 holds write 7 and not 8");
  assertEquals(model.check(1, blocksOf(7, 1, 1)), undefined);
  assertEquals(model.known(0, 2), [8, 7]);
});

Deno.test("BlockModel.whole() knows the one write that blocks are of", () => {
  const model = new BlockModel(0, 4);
  model.written(0, 3, 7);
  assertEquals([model.whole(0, 3), model.whole(0, 4), model.whole(3, 1)], [7, undefined, 0]);
});
