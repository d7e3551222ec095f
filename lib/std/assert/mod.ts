/** The part of `jsr:@std/assert` that this project uses, over the same code as published on npm. */
// @ts-types="./types.d.ts"
export {
  assert,
  assertEquals,
  assertExists,
  assertFalse,
  assertGreater,
  assertGreaterOrEqual,
  assertInstanceOf,
  AssertionError,
  assertLess,
  assertLessOrEqual,
  assertMatch,
  assertNotEquals,
  assertObjectMatch,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
  equal,
  fail,
  unreachable,
} from "npm:deno-std@1.4.0/assert/mod.js";
export type { Falsy } from "./types.d.ts";
