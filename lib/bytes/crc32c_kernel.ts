/**
 * CRC32C of long runs of bytes, several times faster than with tables.
 *
 * A CRC is the remainder of the message, a polynomial over GF(2), by a generator polynomial G. The remainder by a
 * multiple of G gives the same CRC. One multiple has only six terms:
 *
 * ```text
 * M = x^210 + x^185 + x^66 + x^41 + x^12 + 1
 * ```
 *
 * Over GF(2), M(x)^8 = M(x^8), so G divides M(x^8) too, and M(x^8) works on whole bytes. To reduce a message by M(x^8),
 * XOR each byte of its quotient to the bytes 25, 144, 169, 198 and 210 positions later. This needs no table and no
 * multiplication. The nearest of these positions is more than 16 bytes away, so a vector of 16 bytes is processed at a
 * time, and the 14 vectors that later ones depend on stay in registers. Tables reduce the remainder of 14 vectors to 4
 * bytes. `tests/bench/crc32c.ts` compares this method with others.
 */
import { crc32c, CRC32C_SLICES, CRC32C_TABLES } from "./crc32c.ts";
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
  i32Store,
  i32Xor,
  i8x16Window,
  localGet,
  localSet,
  V128,
  V128_ZERO,
  v128Load,
  v128Store,
  v128Xor,
  type WebAssemblyFunction,
} from "./wasm_assembler.ts";

/** Distances in bytes from a byte of the quotient to the message bytes that it is XORed to. */
const DELAYS = [25, 144, 169, 198, 210] as const;

const VECTOR_BYTES = 16;
/** Vectors of the quotient that later vectors depend on, and their size in bytes. */
const VECTORS = 14;
const BLOCK_BYTES = VECTORS * VECTOR_BYTES;

/** Memory layout: the tables, the remainder, zeros that pad the data to whole blocks, and the data. */
const REMAINDER = CRC32C_TABLES.byteLength;
const DATA = REMAINDER + 2 * BLOCK_BYTES;
const MEMORY_BYTES = 65_536;

/** Bytes copied to the memory at a time; a piece stays in the first-level cache of the processor. */
const PIECE_BYTES = 16_384;

/** Bytes from which the kernel is faster than tables; a call into a module has a fixed price. */
const SHORT_BYTES = 2 * BLOCK_BYTES;

/** Parameters and locals of the `fold` function. */
const STATE = 0;
const ADDRESS = 1;
const LAST_BLOCK = 2;
const WORD = 3;
const FIRST_VECTOR = 4;

/** An instance of the CRC32C module, with its own memory. */
export class Crc32cKernel {
  readonly #memory: Uint8Array;
  readonly #fold: (state: number, address: number, lastBlock: number) => number;

  constructor() {
    const module = new WebAssembly.Module(encodeModule([foldFunction()], MEMORY_BYTES / 65_536));
    const { memory, fold } = new WebAssembly.Instance(module).exports;
    this.#memory = new Uint8Array((memory as WebAssembly.Memory).buffer);
    this.#memory.set(new Uint8Array(CRC32C_TABLES.buffer));
    this.#fold = fold as (state: number, address: number, lastBlock: number) => number;
  }

  /** Returns the CRC32C of the bytes from `start` to `end`; `previous` is the CRC of the bytes before them. */
  crc32c(bytes: Uint8Array, previous = 0, start = 0, end: number = bytes.length): number {
    let value = previous;
    let offset = start;
    for (; end - offset >= SHORT_BYTES; offset += PIECE_BYTES) {
      value = this.#piece(bytes.subarray(offset, Math.min(offset + PIECE_BYTES, end)), value);
    }
    return offset < end ? crc32c(bytes, value, offset, end) : value;
  }

  #piece(piece: Uint8Array, previous: number): number {
    this.#memory.set(piece, DATA);
    const lastBlock = DATA + piece.length - BLOCK_BYTES;
    // Leading zeros do not change the CRC, so the data is padded to whole blocks.
    const firstBlock = lastBlock - Math.ceil(piece.length / BLOCK_BYTES - 1) * BLOCK_BYTES;
    return ~this.#fold(~previous, firstBlock, lastBlock) >>> 0;
  }
}

/**
 * Returns `fold(state, address, lastBlock)`, which returns the CRC state after the data from `address` to the end of
 * `lastBlock`. The data is two blocks or more.
 */
function foldFunction(): WebAssemblyFunction {
  return {
    name: "fold",
    parameters: [I32, I32, I32],
    results: [I32],
    locals: [I32, ...new Array<number>(VECTORS).fill(V128)],
    body: [
      // The state of the bytes before is XORed to the first four bytes.
      i32Store(DATA, i32Const(0), i32Xor(i32Load(DATA, i32Const(0)), localGet(STATE))),
      doWhile(
        [quotientOfBlock(), localSet(ADDRESS, i32Add(localGet(ADDRESS), i32Const(BLOCK_BYTES)))],
        i32LtU(localGet(ADDRESS), localGet(LAST_BLOCK)),
      ),
      remainderOfBlock(),
      localSet(STATE, i32Const(0)),
      localSet(ADDRESS, i32Const(REMAINDER)),
      doWhile(
        [slice(), localSet(ADDRESS, i32Add(localGet(ADDRESS), i32Const(CRC32C_SLICES)))],
        i32LtU(localGet(ADDRESS), i32Const(REMAINDER + BLOCK_BYTES)),
      ),
      localGet(STATE),
    ],
  };
}

/** Computes the quotient of a block. Each vector replaces the one 14 vectors earlier, after its last use. */
function quotientOfBlock(): Code {
  return indices(VECTORS).map((index) =>
    localSet(
      FIRST_VECTOR + index,
      delayed(index, (back) => localGet(FIRST_VECTOR + (index - back + VECTORS) % VECTORS)),
    )
  );
}

/** Computes the remainder. The quotient ends with the block before, so only its vectors up to there count. */
function remainderOfBlock(): Code {
  return indices(VECTORS).map((index) => {
    const before = (back: number): Code =>
      back > index ? localGet(FIRST_VECTOR + index - back + VECTORS) : V128_ZERO;
    return v128Store(REMAINDER + index * VECTOR_BYTES, i32Const(0), delayed(index, before));
  });
}

/** Returns a vector of the message XORed with the delayed quotient; `before(n)` is the quotient `n` vectors earlier. */
function delayed(index: number, before: (back: number) => Code): Code {
  let sum = v128Load(index * VECTOR_BYTES, localGet(ADDRESS));
  for (const delay of DELAYS) {
    const back = Math.floor(delay / VECTOR_BYTES);
    const shift = delay % VECTOR_BYTES;
    const term = shift === 0
      ? before(back)
      : i8x16Window(before(back + 1), before(back), VECTOR_BYTES - shift);
    sum = v128Xor(sum, term);
  }
  return sum;
}

/** Reduces 8 bytes with the tables. */
function slice(): Code {
  const first = i32Xor(i32Load(0, localGet(ADDRESS)), localGet(STATE));
  const second = i32Load(4, localGet(ADDRESS));
  return localSet(STATE, i32Xor(byTables(first, CRC32C_SLICES - 1), byTables(second, CRC32C_SLICES - 5)));
}

/** Reduces a word with four tables: the given one and those before it. */
function byTables(word: Code, table: number): Code {
  const entries = indices(4).map<Code>((byte) => tableEntry(table - byte, byte));
  return [localSet(WORD, word), entries.reduce(i32Xor)];
}

function tableEntry(table: number, byte: number): Code {
  const value = i32And(i32ShrU(localGet(WORD), i32Const(byte * 8)), i32Const(0xff));
  return i32Load(table * 1024, i32Shl(value, i32Const(2)));
}

function indices(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}
