/** Something that an initiator owes, and that is waited for as long as anybody wants to wait. */
export interface Expectation {
  /** Resolves when it has come, or is given up. */
  readonly met: Promise<void>;
  /** Waits no longer. Nothing of the expectation is kept. */
  giveUp(): void;
}
