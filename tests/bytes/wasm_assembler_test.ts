import { assertEquals } from "@std/assert";
import {
  doWhile,
  encodeModule,
  I32,
  i32Add,
  i32And,
  i32Const,
  i32Load,
  i32LtU,
  i32Shl,
  i32ShrU,
  i32Store,
  i32Xor,
  i8x16Window,
  localGet,
  localSet,
  V128_ZERO,
  v128Load,
  v128Store,
  v128Xor,
} from "../../lib/bytes/wasm_assembler.ts";

type Exports = { memory: WebAssembly.Memory; run: (a: number, b: number) => number };

function instantiate(body: Parameters<typeof encodeModule>[0][number]["body"]): Exports {
  const run = { name: "run", parameters: [I32, I32], results: [I32], locals: [I32], body };
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(encodeModule([run], 1)));
  return exports as unknown as Exports;
}

Deno.test("encodeModule() writes the sections of the specification, byte for byte", () => {
  const sum = { name: "sum", parameters: [I32, I32], results: [I32], locals: [] };
  const module = encodeModule([{ ...sum, body: i32Add(localGet(0), localGet(1)) }], 2);
  const expected = [
    "0061736d 01000000", // "\0asm", version 1
    "01 07 01 60 02 7f7f 01 7f", // types: (i32, i32) -> i32
    "03 02 01 00", // functions: one, of type 0
    "05 03 01 00 02", // memories: one, of at least 2 pages
    "07 10 02 03 73756d 00 00 06 6d656d6f7279 02 00", // exports: function 0 as "sum", memory 0 as "memory"
    "0a 09 01 07 00 20 00 20 01 6a 0b", // bodies: no locals, local.get 0, local.get 1, i32.add, end
  ];
  assertEquals(module.toHex(), expected.join("").replaceAll(" ", ""));
});

for (const value of [0, 1, 63, 64, 127, 128, 8191, 8192, 65_535, 1 << 30, -1, -64, -65, -(2 ** 31)]) {
  Deno.test(`i32Const() encodes ${value}`, () => {
    assertEquals(instantiate(i32Const(value)).run(0, 0), value);
  });
}

Deno.test("the instructions on numbers do what their names say", () => {
  const [a, b] = [0x1234_5678, 5];
  const results = [
    [i32Add, a + b],
    [i32And, a & b],
    [i32Xor, a ^ b],
    [i32Shl, a << b],
    [i32ShrU, a >>> b],
    [i32LtU, 0],
  ] as const;
  for (const [instruction, expected] of results) {
    assertEquals(instantiate(instruction(localGet(0), localGet(1))).run(a, b), expected, instruction.name);
  }
  assertEquals(instantiate(i32LtU(localGet(0), localGet(1))).run(1, -1), 1);
});

Deno.test("doWhile() repeats while its condition holds, and runs once at least", () => {
  const body = [
    doWhile(
      [localSet(2, i32Add(localGet(2), localGet(0))), localSet(1, i32Add(localGet(1), i32Const(-1)))],
      i32LtU(i32Const(0), localGet(1)),
    ),
    localGet(2),
  ];
  assertEquals(instantiate(body).run(7, 6), 42);
  assertEquals(instantiate(body).run(7, 1), 7);
});

Deno.test("the instructions on memory and vectors do what their names say", () => {
  const [first, second] = [v128Load(16, localGet(0)), v128Load(32, localGet(0))];
  const { memory, run } = instantiate([
    v128Store(300, i32Const(0), i8x16Window(first, second, 5)),
    v128Store(316, i32Const(0), v128Xor(first, second)),
    v128Store(332, i32Const(0), i8x16Window(V128_ZERO, first, 15)),
    i32Store(348, i32Const(0), localGet(1)),
    i32Load(300, i32Const(0)),
  ]);
  const bytes = new Uint8Array(memory.buffer);
  for (let index = 0; index < 64; index++) bytes[index] = index * 3;
  const loaded = run(2, 0x01020304);
  const at = (offset: number): Uint8Array => bytes.slice(18 + offset, 18 + offset + 16);
  assertEquals(bytes.slice(300, 316), at(5));
  assertEquals(loaded, new DataView(memory.buffer).getInt32(300, true));
  assertEquals(bytes.slice(316, 332), at(0).map((byte, index) => byte ^ at(16)[index]!));
  assertEquals(bytes.slice(332, 348), Uint8Array.of(0, ...at(0).subarray(0, 15)));
  assertEquals(bytes.slice(348, 352), Uint8Array.of(4, 3, 2, 1));
});
