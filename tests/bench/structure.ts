/** A structure of the target worker, and an operation whose cost should not grow with what it holds. */
export interface Structure {
  /** The operation, and what `n` counts. */
  readonly name: string;
  /** Three numbers, usually n, 10 n and 100 n; the last one is the limit where there is one. */
  readonly counts: readonly number[];
  /** Makes a structure that holds so many, and returns the operation, which leaves their number as it was. */
  readonly prepare: (count: number) => Operation | Promise<Operation>;
}

/** An operation; a promise is awaited. */
export type Operation = () => unknown;

/** Returns numbers below a bound that repeat after very many, without much work. */
export function scattered(bound: number): () => number {
  let state = 0;
  return () => (state = (state + 0x9e37_79b1) % 0x1_0000_0000) % bound;
}
