/** Time, as the node knows it: a test brings a clock of its own, which stands still until the test moves it. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Milliseconds that never go back, since whenever. */
  monotonicMs(): number;
  /** Calls back once; what is returned prevents it. */
  after(delayMs: number, callback: () => void): () => void;
}
