/**
 * CRC32C of long runs of bytes, at several times the speed of tables.
 *
 * A CRC is the remainder of the message, a polynomial over GF(2), by a generator polynomial G; and it can just as well
 * be taken from the remainder by a multiple of G. One multiple has six terms only:
 *
 *     M = x^210 + x^185 + x^66 + x^41 + x^12 + 1
 *
 * Over GF(2) M(x)^8 = M(x^8), so G divides that as well, and it speaks of whole bytes: the remainder of a message by
 * M(x^8) is found by XORing its quotient, byte by byte, to what comes 25, 144, 169, 198 and 210 bytes later. No table
 * and no multiplication is in this, and since the nearest of these is more than 16 bytes away, a vector of 16 bytes
 * goes through at a time; the 14 vectors that later ones depend on stay in registers. The remainder, of 14 vectors, is
 * brought down to 4 bytes by tables. `tests/bench/crc32c.ts` compares this with other ways.
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

/** How many bytes behind a byte of the quotient it is XORed to the message. */
const DELAYS = [25, 144, 169, 198, 210] as const;

const VECTOR_BYTES = 16;
/** Vectors of the quotient that are looked back at, and all of them in bytes. */
const VECTORS = 14;
const BLOCK_BYTES = VECTORS * VECTOR_BYTES;

/** The memory: tables, the remainder, zeros that precede the data to make it whole blocks, and the data. */
const REMAINDER = CRC32C_TABLES.byteLength;
const DATA = REMAINDER + 2 * BLOCK_BYTES;
const MEMORY_BYTES = 65_536;

/** Data goes through the memory in pieces that stay in the processor's first cache. */
const PIECE_BYTES = 16_384;

/** Below this, tables are as fast: calling a module has its price. */
const SHORT_BYTES = 2 * BLOCK_BYTES;

/** Parameters and locals of the function. */
const STATE = 0;
const ADDRESS = 1;
const LAST_BLOCK = 2;
const WORD = 3;
const FIRST_VECTOR = 4;

/** The function in a memory of its own. */
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

  /** CRC32C of the bytes from `start` to `end`; `previous` is the CRC of what came before them. */
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
    // Zeros before the first byte change nothing: the data is taken as whole blocks.
    const firstBlock = lastBlock - Math.ceil(piece.length / BLOCK_BYTES - 1) * BLOCK_BYTES;
    return ~this.#fold(~previous, firstBlock, lastBlock) >>> 0;
  }
}

/** `fold(state, address, lastBlock)`: the state behind the data from `address`, of two blocks at least, to its last. */
function foldFunction(): WebAssemblyFunction {
  return {
    name: "fold",
    parameters: [I32, I32, I32],
    results: [I32],
    locals: [I32, ...new Array<number>(VECTORS).fill(V128)],
    body: [
      // What came before is XORed to the first four bytes.
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

/** Each vector of the quotient takes the place of the one 14 vectors before, which is needed for the last time. */
function quotientOfBlock(): Code {
  return indices(VECTORS).map((index) =>
    localSet(
      FIRST_VECTOR + index,
      delayed(index, (back) => localGet(FIRST_VECTOR + (index - back + VECTORS) % VECTORS)),
    )
  );
}

/** The quotient ends with the block before: only what came up to there still counts. */
function remainderOfBlock(): Code {
  return indices(VECTORS).map((index) => {
    const before = (back: number): Code =>
      back > index ? localGet(FIRST_VECTOR + index - back + VECTORS) : V128_ZERO;
    return v128Store(REMAINDER + index * VECTOR_BYTES, i32Const(0), delayed(index, before));
  });
}

/** A vector of the message, and what the quotient adds to it; `before(n)` is the quotient n vectors before. */
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

/** Takes 8 bytes by tables. */
function slice(): Code {
  const first = i32Xor(i32Load(0, localGet(ADDRESS)), localGet(STATE));
  const second = i32Load(4, localGet(ADDRESS));
  return localSet(STATE, i32Xor(byTables(first, CRC32C_SLICES - 1), byTables(second, CRC32C_SLICES - 5)));
}

/** Takes a word by four tables, the given one and those before it. */
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
