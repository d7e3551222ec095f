/** Where a logical unit's persistent reservations outlive a loss of power. */
export interface ReservationStore {
  /** The text that was saved last, before the logical unit was made; undefined when none ever was. */
  readonly saved: string | undefined;
  /**
   * Resolves when the text is on stable storage in place of the one before. One call at a time.
   *
   * @throws {StoreError} (rejects) when that cannot be; the one before is then still there, or the new one is
   */
  save(text: string): Promise<void>;
}
