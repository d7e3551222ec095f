/**
 * An assembler for a small WebAssembly module (WebAssembly Core Specification 2.0, 5). An instruction is a function
 * with its name in the text format (6.5); its operands are code and its result is code, so a nested call reads as an
 * expression.
 */

/** A sequence of bytes, nested as it was composed. */
export type Code = number | readonly Code[];

/** Value types (5.3). */
export const I32 = 0x7f;
export const V128 = 0x7b;

/** A function that a module exports by name. Locals are numbered after the parameters. */
export interface WebAssemblyFunction {
  readonly name: string;
  readonly parameters: readonly number[];
  readonly results: readonly number[];
  readonly locals: readonly number[];
  readonly body: Code;
}

/** Encodes a module of functions, with a memory of 64 KiB pages that is exported as `memory`. */
export function encodeModule(
  functions: readonly WebAssemblyFunction[],
  memoryPages: number,
): Uint8Array<ArrayBuffer> {
  const types = functions.map(({ parameters, results }) => [0x60, list(parameters), list(results)]);
  const exported = functions.map(({ name }, index) => [text(name), 0x00, unsigned(index)]);
  const bodies = functions.map(({ locals, body }) =>
    sized([list(locals.map((type) => [1, type])), body, 0x0b])
  );
  return new Uint8Array(flatten([
    [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    [1, sized(list(types))],
    [3, sized(list(functions.map((_, index) => unsigned(index))))],
    [5, sized([1, 0x00, unsigned(memoryPages)])],
    [7, sized(list([...exported, [text("memory"), 0x02, 0]]))],
    [10, sized(list(bodies))],
  ]));
}

function flatten(code: readonly unknown[]): number[] {
  return code.flat(Infinity) as number[];
}

/** Returns code preceded by its size in bytes. */
function sized(code: readonly Code[]): Code {
  const bytes = flatten(code);
  return [unsigned(bytes.length), bytes];
}

/** Returns items preceded by their number. */
function list(items: readonly Code[]): readonly Code[] {
  return [unsigned(items.length), items];
}

function text(name: string): Code {
  return list([...new TextEncoder().encode(name)]);
}

/** Encodes a number in LEB128 (5.2.2). */
function unsigned(value: number): Code {
  return value < 0x80 ? value : [value & 0x7f | 0x80, unsigned(value >>> 7)];
}

function signed(value: number): Code {
  return value >= -0x40 && value < 0x40 ? value & 0x7f : [value & 0x7f | 0x80, signed(value >> 7)];
}

/** Reads a local. */
export function localGet(local: number): Code {
  return [0x20, unsigned(local)];
}

/** Sets a local. */
export function localSet(local: number, value: Code): Code {
  return [value, 0x21, unsigned(local)];
}

/** Pushes a constant. */
export function i32Const(value: number): Code {
  return [0x41, signed(value)];
}

/** Loads a 32-bit number, little-endian. */
export function i32Load(offset: number, address: Code): Code {
  return [address, 0x28, 0, unsigned(offset)];
}

/** Stores a 32-bit number, little-endian. */
export function i32Store(offset: number, address: Code, value: Code): Code {
  return [address, value, 0x36, 0, unsigned(offset)];
}

/** Compares two unsigned numbers: 1 when `left` is less than `right`, else 0. */
export function i32LtU(left: Code, right: Code): Code {
  return [left, right, 0x49];
}

/** Adds two numbers modulo 2^32. */
export function i32Add(left: Code, right: Code): Code {
  return [left, right, 0x6a];
}

/** Computes the bitwise AND. */
export function i32And(left: Code, right: Code): Code {
  return [left, right, 0x71];
}

/** Computes the bitwise XOR. */
export function i32Xor(left: Code, right: Code): Code {
  return [left, right, 0x73];
}

/** Shifts to the left. */
export function i32Shl(value: Code, bits: Code): Code {
  return [value, bits, 0x74];
}

/** Shifts to the right and fills with zeros. */
export function i32ShrU(value: Code, bits: Code): Code {
  return [value, bits, 0x76];
}

/** Loads a vector of 16 bytes. */
export function v128Load(offset: number, address: Code): Code {
  return [address, 0xfd, 0x00, 0, unsigned(offset)];
}

/** Stores a vector of 16 bytes. */
export function v128Store(offset: number, address: Code, value: Code): Code {
  return [address, value, 0xfd, 0x0b, 0, unsigned(offset)];
}

/** Computes the bitwise XOR of two vectors. */
export function v128Xor(left: Code, right: Code): Code {
  return [left, right, 0xfd, 0x51];
}

/** The instruction that pushes a vector of zeros. */
export const V128_ZERO: Code = [0xfd, 0x0c, new Array<number>(16).fill(0)];

/** Selects 16 bytes from `first` followed by `second`, from byte `start` on. */
export function i8x16Window(first: Code, second: Code, start: number): Code {
  const lanes = Array.from({ length: 16 }, (_, lane) => start + lane);
  return [first, second, 0xfd, 0x0d, lanes];
}

/** Repeats `body` while `condition`, which is evaluated after it, is not 0. */
export function doWhile(body: Code, condition: Code): Code {
  return [0x03, 0x40, body, condition, 0x0d, 0, 0x0b];
}
