/** The completion mode of a sanitize operation (SBC-3, 4.11): unrestricted with AUSE. */
export type CompletionMode = "restricted" | "unrestricted";

/** The persistent record of an incomplete sanitize operation. It outlives the server and a loss of power. */
export interface SanitizeRecord {
  /** The completion mode of the operation that was incomplete when the unit was opened; undefined without one. */
  readonly unfinished: CompletionMode | undefined;
  /**
   * Stores the completion mode of an operation that begins; undefined when no operation is incomplete.
   *
   * @throws {StoreError} (rejects) when it cannot be stored; the previous record remains
   */
  keep(mode: CompletionMode | undefined): Promise<void>;
}
