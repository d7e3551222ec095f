/** Every assertion that the tests use must be able to fail. */
import * as std from "@std/assert";

class Failure extends RangeError {
  readonly code: number;

  constructor(code: number) {
    super(`code ${code}`);
    this.code = code;
  }
}

function throwFailure(): never {
  throw new Failure(3);
}

const PASSING: Record<string, () => unknown> = {
  assert: () => std.assert(1),
  assertFalse: () => std.assertFalse(0),
  assertEquals: () => std.assertEquals({ a: new Uint8Array([1]) }, { a: new Uint8Array([1]) }),
  assertNotEquals: () => std.assertNotEquals([1], [2]),
  assertStrictEquals: () => std.assertStrictEquals(NaN, NaN),
  assertExists: () => std.assertExists(0),
  assertInstanceOf: () => std.assertInstanceOf(new Failure(1), RangeError),
  assertGreater: () => std.assertGreater(2, 1),
  assertGreaterOrEqual: () => std.assertGreaterOrEqual(2, 2),
  assertLess: () => std.assertLess(1, 2),
  assertLessOrEqual: () => std.assertLessOrEqual(2, 2),
  assertMatch: () => std.assertMatch("abc", /b/),
  assertStringIncludes: () => std.assertStringIncludes("abc", "bc"),
  assertObjectMatch: () => std.assertObjectMatch({ a: 1, b: { c: 2, d: 3 } }, { b: { c: 2 } }),
  assertThrows: () => std.assertThrows(throwFailure, Failure, "code 3"),
};

const FAILING: Record<string, () => unknown> = {
  assert: () => std.assert(0, "message"),
  assertFalse: () => std.assertFalse(1),
  assertEquals: () => std.assertEquals<unknown>({ a: 1 }, { a: 1, b: undefined, c: 1 }),
  assertNotEquals: () => std.assertNotEquals([1], [1]),
  assertStrictEquals: () => std.assertStrictEquals({}, {}),
  assertExists: () => std.assertExists(undefined),
  assertInstanceOf: () => std.assertInstanceOf(new Error(), Failure),
  assertGreater: () => std.assertGreater(1, 1),
  assertGreaterOrEqual: () => std.assertGreaterOrEqual(1, 2),
  assertLess: () => std.assertLess(1, 1),
  assertLessOrEqual: () => std.assertLessOrEqual(2, 1),
  assertMatch: () => std.assertMatch("abc", /x/),
  assertStringIncludes: () => std.assertStringIncludes("abc", "x"),
  assertObjectMatch: () => std.assertObjectMatch({ a: 1 }, { a: 2 }),
  "assertThrows, nothing thrown": () => std.assertThrows(() => 1),
  "assertThrows, another class": () => std.assertThrows(throwFailure, TypeError),
  "assertThrows, another message": () => std.assertThrows(throwFailure, Failure, "code 4"),
  fail: () => std.fail("message"),
  unreachable: () => std.unreachable(),
};

/** ReloadOutcome without the package under test. */
function outcome(run: () => unknown): "passed" | "failed" {
  try {
    run();
    return "passed";
  } catch (error) {
    if (error instanceof std.AssertionError) return "failed";
    throw error;
  }
}

for (const [name, run] of Object.entries(PASSING)) {
  Deno.test(`@std/assert passes: ${name}`, () => {
    if (outcome(run) !== "passed") throw new Error(`${name} fails`);
  });
}

for (const [name, run] of Object.entries(FAILING)) {
  Deno.test(`@std/assert fails: ${name}`, () => {
    if (outcome(run) !== "failed") throw new Error(`${name} passes`);
  });
}

Deno.test("@std/assert assertThrows() and assertRejects() return the error", async () => {
  std.assertStrictEquals(std.assertThrows(throwFailure, Failure).code, 3);
  const error = await std.assertRejects(() => Promise.reject(new Failure(5)), Failure, "code 5");
  std.assertStrictEquals(error.code, 5);
});

Deno.test("@std/assert assertRejects() fails when the promise resolves", async () => {
  const error = await std.assertRejects(() => std.assertRejects(() => Promise.resolve()), std.AssertionError);
  std.assertStringIncludes(error.message, "reject");
});

Deno.test("@std/assert equal() compares in depth", () => {
  std.assert(std.equal(new Map([["a", [1]]]), new Map([["a", [1]]])));
  std.assertFalse(std.equal([1, 2], [2, 1]));
});
