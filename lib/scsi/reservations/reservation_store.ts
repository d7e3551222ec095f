import type { PersistentState } from "./persistent_state.ts";

/** Where a logical unit's persistent reservations outlive a loss of power. */
export interface ReservationStore {
  /** The state that was saved last, before the logical unit was made; undefined when none ever was. */
  readonly saved: PersistentState | undefined;
  /**
   * The saved state must be saved once more as it is, before any change: it is in an old form, or half of it was lost.
   * False by default.
   */
  readonly needsRewrite?: boolean;
  /**
   * Resolves when the state is on stable storage in place of the one before. One call at a time. A state all of whose
   * registrations are in the one before never fails for lack of space.
   *
   * @throws {StoreError} (rejects) when that cannot be; the one before is then still there, or the new one is
   */
  save(state: PersistentState): Promise<void>;
}
