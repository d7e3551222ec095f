/** The time of a node. A test passes in a clock that stands still until the test advances it. */
export interface Clock {
  /** Returns the milliseconds since 1970. */
  now(): number;
  /** Returns milliseconds since an arbitrary moment; they never go backwards. */
  monotonicMs(): number;
  /** Calls back once after a delay; returns a function that cancels the call. */
  after(delayMs: number, callback: () => void): () => void;
}
