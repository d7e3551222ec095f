/** Something that an initiator owes. */
export interface Expectation {
  /** Resolves when it has arrived, or is given up. */
  readonly met: Promise<void>;
  /** Ends the wait, and forgets the expectation. */
  giveUp(): void;
}
