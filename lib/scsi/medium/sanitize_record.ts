/** What an initiator allows after a sanitize operation that fails (SBC-3, 4.11): unrestricted with AUSE. */
export type CompletionMode = "restricted" | "unrestricted";

/** The memory of a sanitize operation that has not completed, which outlives the server and a loss of power. */
export interface SanitizeRecord {
  /** The completion mode of an operation that had not completed when the unit was opened; undefined if all had. */
  readonly unfinished: CompletionMode | undefined;
  /**
   * Keeps the completion mode of an operation that begins, or undefined when there is none left that has not completed.
   *
   * @throws {StoreError} (rejects) when that cannot be kept; what was kept before still is
   */
  keep(mode: CompletionMode | undefined): Promise<void>;
}
