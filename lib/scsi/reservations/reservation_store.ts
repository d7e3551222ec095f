import type { PersistentState } from "./persistent_state.ts";

/** Stable storage for the persistent reservations of a logical unit. */
export interface ReservationStore {
  /** The state that was saved last, before the logical unit was made; undefined when there is none. */
  readonly saved: PersistentState | undefined;
  /**
   * The saved state must be saved again before any change, because it is in an old format or one copy was lost. False
   * by default.
   */
  readonly needsRewrite?: boolean;
  /**
   * Replaces the saved state, and resolves when the new one is on stable storage. One call at a time. A state that adds
   * no registration never fails for lack of space.
   *
   * @throws {StoreError} (rejects) when this fails; either the old or the new state is then saved
   */
  save(state: PersistentState): Promise<void>;
}
