/** The error that every assertion throws. */
export class AssertionError extends Error {
  constructor(message: string, options?: ErrorOptions);
}

/** The values that count as false. */
export type Falsy = false | 0 | 0n | "" | null | undefined;

/** Asserts that `expr` is truthy. */
export function assert(expr: unknown, msg?: string): asserts expr;

/** Asserts that `expr` is falsy. */
export function assertFalse(expr: unknown, msg?: string): asserts expr is Falsy;

/** Asserts that two values are equal in depth. */
export function assertEquals<T>(actual: T, expected: T, msg?: string): void;

/** Asserts that two values are not equal in depth. */
export function assertNotEquals<T>(actual: T, expected: T, msg?: string): void;

/** Asserts that two values are the same (`Object.is`). */
export function assertStrictEquals<T>(actual: unknown, expected: T, msg?: string): asserts actual is T;

/** Asserts that a value is neither null nor undefined. */
export function assertExists<T>(actual: T, msg?: string): asserts actual is NonNullable<T>;

/** Asserts that a value is an instance of a class. */
export function assertInstanceOf<T>(
  actual: unknown,
  expectedType: abstract new (...args: never[]) => T,
  msg?: string,
): asserts actual is T;

/** Asserts that `actual > expected`. */
export function assertGreater<T>(actual: T, expected: T, msg?: string): void;

/** Asserts that `actual >= expected`. */
export function assertGreaterOrEqual<T>(actual: T, expected: T, msg?: string): void;

/** Asserts that `actual < expected`. */
export function assertLess<T>(actual: T, expected: T, msg?: string): void;

/** Asserts that `actual <= expected`. */
export function assertLessOrEqual<T>(actual: T, expected: T, msg?: string): void;

/** Asserts that a string matches a regular expression. */
export function assertMatch(actual: string, expected: RegExp, msg?: string): void;

/** Asserts that a string contains another. */
export function assertStringIncludes(actual: string, expected: string, msg?: string): void;

/** Asserts that `actual` has every property of `expected`, equal in depth; it may have more. */
export function assertObjectMatch(
  actual: object,
  expected: Record<PropertyKey, unknown>,
  msg?: string,
): void;

/** Asserts that `fn` throws, and returns what it threw. */
export function assertThrows(fn: () => unknown, msg?: string): unknown;

/** Asserts that `fn` throws an error of the class whose message contains `msgIncludes`, and returns the error. */
export function assertThrows<E extends Error = Error>(
  fn: () => unknown,
  ErrorClass: abstract new (...args: never[]) => E,
  msgIncludes?: string,
  msg?: string,
): E;

/** Asserts that the promise of `fn` rejects, and resolves to what it rejected with. */
export function assertRejects(fn: () => PromiseLike<unknown>, msg?: string): Promise<unknown>;

/**
 * Asserts that the promise of `fn` rejects with an error of the class whose message contains `msgIncludes`, and
 * resolves to the error.
 */
export function assertRejects<E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  ErrorClass: abstract new (...args: never[]) => E,
  msgIncludes?: string,
  msg?: string,
): Promise<E>;

/** Returns true if two values are deeply equal. */
export function equal(a: unknown, b: unknown): boolean;

/** Fails. */
export function fail(msg?: string): never;

/** Fails: to be called where no path leads. */
export function unreachable(msg?: string): never;
