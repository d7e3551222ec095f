/**
 * `deno run --allow-read --allow-env tests/bench/crc32c.ts`: ways to compute a CRC32C, one after the other on the same
 * bytes, round after round; the best round of each counts. The kernel that the target uses is the last one.
 */
import { crc32c, CRC32C_SLICES, CRC32C_TABLES } from "../../lib/bytes/crc32c.ts";
import { Crc32cKernel } from "../../lib/bytes/crc32c_kernel.ts";
import {
  type Code,
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
  i32Xor,
  localGet,
  localSet,
} from "../../lib/bytes/wasm_assembler.ts";

type Way = (bytes: Uint8Array) => number;

const ROUNDS = 12;
const ROUND_BYTES = 8 * 1024 * 1024;
const SIZES = [48, 512, 4096, 65_536, 262_144];

/** Tables for as many bytes at a time as there are tables. */
function makeTables(slices: number): Int32Array[] {
  const tables = [CRC32C_TABLES.subarray(0, 256)];
  while (tables.length < slices) {
    tables.push(tables.at(-1)!.map((value) => value >>> 8 ^ CRC32C_TABLES[value & 0xff]!));
  }
  return tables;
}

function byteByByte(bytes: Uint8Array): number {
  let value = -1;
  for (let index = 0; index < bytes.length; index++) {
    value = value >>> 8 ^ CRC32C_TABLES[(value ^ bytes[index]!) & 0xff]!;
  }
  return ~value >>> 0;
}

/** 16 bytes at a time in JavaScript; lengths are multiples of 16 here. */
function sliceBy16(): Way {
  const [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = makeTables(16);
  return (bytes) => {
    let value = -1;
    for (let at = 0; at < bytes.length; at += 16) {
      value ^= bytes[at]! | bytes[at + 1]! << 8 | bytes[at + 2]! << 16 | bytes[at + 3]! << 24;
      value = p![value & 0xff]! ^ o![value >>> 8 & 0xff]! ^ n![value >>> 16 & 0xff]! ^ m![value >>> 24]! ^
        l![bytes[at + 4]!]! ^ k![bytes[at + 5]!]! ^ j![bytes[at + 6]!]! ^ i![bytes[at + 7]!]! ^
        h![bytes[at + 8]!]! ^ g![bytes[at + 9]!]! ^ f![bytes[at + 10]!]! ^ e![bytes[at + 11]!]! ^
        d![bytes[at + 12]!]! ^ c![bytes[at + 13]!]! ^ b![bytes[at + 14]!]! ^ a![bytes[at + 15]!]!;
    }
    return ~value >>> 0;
  };
}

/** Tables in WebAssembly, in a number of parallel streams that are combined at the end. */
function webAssemblyTables(slices: number, streams: number): Way {
  const data = slices * 1024;
  const [ADDRESS, END, STRIDE, WORD] = [0, 1, 2, 3];
  const state = (stream: number): number => 4 + stream;
  const address = (stream: number): Code =>
    Array.from({ length: stream }).reduce<Code>((sum) => i32Add(sum, localGet(STRIDE)), localGet(ADDRESS));
  const word = (stream: number, index: number): Code => {
    const loaded = i32Load(index * 4, address(stream));
    const entries = [0, 1, 2, 3].map<Code>((byte) => {
      const value = i32And(i32ShrU(localGet(WORD), i32Const(byte * 8)), i32Const(0xff));
      return i32Load((slices - 1 - index * 4 - byte) * 1024, i32Shl(value, i32Const(2)));
    });
    const whole = index === 0 ? i32Xor(loaded, localGet(state(stream))) : loaded;
    return [localSet(WORD, whole), entries.reduce(i32Xor)];
  };
  const words = (stream: number): Code =>
    Array.from({ length: slices / 4 }, (_, index) => word(stream, index)).reduce(i32Xor);
  const numbers = Array.from({ length: streams }, (_, stream) => stream);
  const body = [
    localSet(state(0), i32Const(-1)),
    doWhile(
      [
        numbers.map((stream) => localSet(state(stream), words(stream))),
        localSet(ADDRESS, i32Add(localGet(ADDRESS), i32Const(slices))),
      ],
      i32LtU(localGet(ADDRESS), localGet(END)),
    ),
    numbers.map((stream) => localGet(state(stream))),
  ];
  const results = numbers.map(() => I32);
  const locals = new Array<number>(1 + streams).fill(I32);
  const module = encodeModule(
    [{ name: "run", parameters: [I32, I32, I32], results, locals, body }],
    8,
  );
  const { memory, run } = new WebAssembly.Instance(new WebAssembly.Module(module)).exports as unknown as {
    memory: WebAssembly.Memory;
    run: (address: number, end: number, stride: number) => number | number[];
  };
  const bytes = new Uint8Array(memory.buffer);
  for (const [index, table] of makeTables(slices).entries()) {
    new Int32Array(memory.buffer).set(table, index * 256);
  }
  return (message) => {
    bytes.set(message, data);
    const stride = message.length / streams;
    const states = [run(data, data + stride, stride)].flat();
    return ~states.reduce((value, next) => shiftedBy(value, stride) ^ next) >>> 0;
  };
}

const shifts = new Map<number, Int32Array>();

/** Returns the state after a number of zeros: a linear function, whose 32 columns are kept for each length. */
function shiftedBy(value: number, zeros: number): number {
  let columns = shifts.get(zeros);
  if (columns === undefined) {
    const kernel = new Crc32cKernel();
    const bytes = new Uint8Array(zeros);
    columns = Int32Array.from({ length: 32 }, (_, bit) => ~kernel.crc32c(bytes, ~(1 << bit)));
    shifts.set(zeros, columns);
  }
  let sum = 0;
  for (let bit = 0; bit < 32; bit++) if (value >>> bit & 1) sum ^= columns[bit]!;
  return sum;
}

/** Returns the fastest packages on npm that need no native code; they are fetched for this run only. */
async function packages(): Promise<[name: string, way: Way][]> {
  const hashWasm = await import(["npm:hash-wasm", "4.13.0"].join("@"));
  const sheetJs = (await import(["npm:crc-32", "1.2.2/crc32c.js"].join("@"))).default;
  const hasher = await hashWasm.createCRC32(0x82f63b78);
  return [
    ["npm:hash-wasm", (bytes) => Number.parseInt(hasher.init().update(bytes).digest(), 16)],
    ["npm:crc-32", (bytes) => sheetJs.buf(bytes) >>> 0],
  ];
}

/** Seconds for a computation, by the best round. */
function measure(ways: readonly [string, Way][], messages: readonly Uint8Array[]): Map<string, number> {
  const best = new Map<string, number>();
  const repeat = Math.max(1, Math.floor(ROUND_BYTES / messages.length / messages[0]!.length / 8));
  for (let round = 0; round < ROUNDS; round++) {
    for (const [name, way] of ways) {
      const start = performance.now();
      for (let turn = 0; turn < repeat; turn++) for (const message of messages) way(message);
      const seconds = (performance.now() - start) / 1000 / repeat / messages.length;
      best.set(name, Math.min(seconds, best.get(name) ?? Infinity));
    }
  }
  return best;
}

const begun = performance.now();
const kernel = new Crc32cKernel();
console.log(`the kernel took ${(performance.now() - begun).toFixed(1)} ms to make`);
const ways: [string, Way][] = [
  ["a table", byteByByte],
  [`${CRC32C_SLICES} tables (lib)`, (bytes) => crc32c(bytes)],
  ["16 tables", sliceBy16()],
  ["8 tables, WebAssembly", webAssemblyTables(8, 1)],
  ["16 tables, WebAssembly", webAssemblyTables(16, 1)],
  ["16 tables, 3 streams", webAssemblyTables(16, 3)],
  ...await packages(),
  ["kernel (lib)", (bytes) => kernel.crc32c(bytes)],
];
for (const size of SIZES) {
  // Each of three streams has a multiple of 16 bytes.
  const length = size === 48 ? 48 : Math.floor(size / 48) * 48;
  const messages = Array.from(
    { length: Math.max(1, Math.min(64, 1_000_000 / length | 0)) },
    (_, seed) => Uint8Array.from({ length }, (_, index) => index * 7 + (index >> 8) + seed),
  );
  for (const [name, way] of ways) {
    if (way(messages[0]!) !== byteByByte(messages[0]!)) {
      throw new Error(`${name} is wrong for ${length} bytes`);
    }
  }
  const best = measure(ways, messages);
  const slowest = best.get("a table")!;
  console.log(`\n${length} bytes`);
  for (const [name, seconds] of best) {
    const speed = (length / seconds / 1e9).toFixed(2);
    const nanoseconds = (seconds * 1e9).toFixed(0);
    console.log(
      `  ${name.padEnd(24)}${nanoseconds.padStart(8)} ns ${speed.padStart(6)} GB/s  x${
        (slowest / seconds).toFixed(1)
      }`,
    );
  }
}
