/** The completion mode of a sanitize operation (SBC-3, 4.11): unrestricted with AUSE. */
export type CompletionMode = "restricted" | "unrestricted";

/** An operation that has not completed: a sanitize operation, by its completion mode, or a format operation. */
export type Unfinished = CompletionMode | "format";

/** The persistent record of an incomplete sanitize or format operation. It outlives the server and a loss of power. */
export interface EraseRecord {
  /** The operation that was incomplete when the unit was opened; undefined without one. */
  readonly unfinished: Unfinished | undefined;
  /**
   * Stores an operation that begins; undefined when no operation is incomplete.
   *
   * @throws {StoreError} (rejects) when it cannot be stored; the previous record remains
   */
  keep(unfinished: Unfinished | undefined): Promise<void>;
}
