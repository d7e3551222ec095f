import { StoreError } from "../../store/block_store.ts";
import { ACCESS, type Access } from "../dispatch/access.ts";
import { CANCELLED, FINISHED_GOOD, RESERVATION_CONFLICT } from "../outcome/finished.ts";
import type { AttachedNexus } from "../attached_nexus.ts";
import type { Finished, Operation } from "../outcome/operation.ts";
import { Sense } from "../outcome/sense.ts";
import type { NexusIdentity } from "./nexus_identity.ts";
import { conflicts, isAdmitted, isHolder, type PersistentState, UNRESERVED } from "./persistent_state.ts";
import type { ReservationStore } from "./reservation_store.ts";
import type { ReservationType } from "./reservation_types.ts";
import {
  clearByAdministrator,
  type ReservationRefusal,
  type ReservationRequest,
  type Transition,
  transition,
} from "./transition.ts";

/** What becomes of a request of PERSISTENT RESERVE OUT. */
export type ReservationResult =
  | { readonly kind: "accepted"; readonly settled: Promise<unknown> | undefined }
  | { readonly kind: "refused"; readonly refusal: ReservationRefusal | "cannotSave" };

/**
 * A logical unit's reservations, of both kinds: the persistent ones (SPC-4, 5.13), which belong to I_T nexuses by name
 * and last until they are released, and that of RESERVE (SPC-2, 5.5), which ends with its nexus or with a reset. Only
 * one kind is in use at a time.
 *
 * The state that is to persist is on stable storage before it holds, so that a request whose saving fails has changed
 * nothing. Requests that come meanwhile wait.
 */
export class Reservations {
  readonly #nexuses: ReadonlySet<AttachedNexus>;
  #store: ReservationStore | undefined;
  #state: PersistentState;
  /** Who holds the reservation of RESERVE. */
  #reserver: AttachedNexus | undefined;
  /** Resolves when the request that is being saved holds, or has failed; undefined when none is. */
  #saving: Promise<unknown> | undefined;
  #areUnknown: boolean;
  /** Some nexuses may not do everything: what every command looks at, and mostly nothing else. */
  isRestricting = false;

  /**
   * @param nexuses those that are attached to the logical unit, at any time
   * @param store where reservations outlive a loss of power: undefined when they do not, "unreadable" when what was
   *   kept cannot be read
   */
  constructor(nexuses: ReadonlySet<AttachedNexus>, store: ReservationStore | "unreadable" | undefined) {
    this.#nexuses = nexuses;
    this.#state = UNRESERVED;
    this.#areUnknown = store === "unreadable";
    if (store !== undefined && store !== "unreadable") this.learn(store);
  }

  /** The reservations cannot be read: no initiator may use the medium, or reserve anything, before it is known. */
  get areUnknown(): boolean {
    return this.#areUnknown;
  }

  /** Takes over what was kept. Nothing may have been reserved yet. */
  learn(store: ReservationStore): void {
    this.#store = store;
    this.#state = store.saved ?? UNRESERVED;
    this.#areUnknown = false;
    if (store.needsRewrite === true) this.#saving = this.#rewrite(store);
    this.#updateRestricting();
  }

  /** The persistent reservations as they are now. */
  get state(): PersistentState {
    return this.#state;
  }

  /** Who holds the reservation of RESERVE; undefined when nobody does. */
  get reserver(): NexusIdentity | undefined {
    return this.#reserver?.identity;
  }

  /** Whether they can outlive a loss of power. */
  get canPersist(): boolean {
    return this.#store !== undefined;
  }

  /** The reservation of RESERVE is held, by whomever: PERSISTENT RESERVE IN and OUT conflict (SPC-2, 5.5.1). */
  get isReserved(): boolean {
    return this.#reserver !== undefined;
  }

  /** What a nexus holds: a persistent reservation, by its type, or that of RESERVE; null when it holds none. */
  heldBy(nexus: AttachedNexus): ReservationType | "reserve" | null {
    if (this.#reserver === nexus) return "reserve";
    return isHolder(this.#state, nexus.id) ? this.#state.reservation!.type : null;
  }

  /** Whether a command of this class, from this nexus, conflicts with what others have reserved. */
  conflictsWith(access: Access, nexus: AttachedNexus): boolean {
    if (this.#reserver !== undefined && this.#reserver !== nexus) return ACCESS[access].conflictsWithReserve;
    return conflicts(this.#state, nexus.id, access);
  }

  /** RESERVE (SPC-2, 7.21), with the exceptions of SPC-4, 5.13.3, for who may do everything anyway. */
  reserve(nexus: AttachedNexus): Operation {
    return this.#afterSaving(() => {
      const decided = this.#decideCompatibly(nexus);
      if (decided !== undefined) return decided;
      if (this.#reserver !== undefined && this.#reserver !== nexus) return RESERVATION_CONFLICT;
      this.#reserver = nexus;
      this.#updateRestricting();
      return FINISHED_GOOD;
    });
  }

  /** RELEASE (SPC-2, 7.17), likewise. Who holds nothing has nothing to release, which is no error. */
  release(nexus: AttachedNexus): Operation {
    return this.#afterSaving(() => {
      const decided = this.#decideCompatibly(nexus);
      if (decided !== undefined) return decided;
      this.#forget(nexus);
      return FINISHED_GOOD;
    });
  }

  /** A nexus is lost (SAM-5, 6.3.4), and with it what it had reserved by RESERVE. */
  loseNexus(nexus: AttachedNexus): void {
    this.#forget(nexus);
  }

  /** The logical unit is reset (SAM-5, 6.3.3): persistent reservations are not affected, that of RESERVE ends. */
  reset(): void {
    this.#reserver = undefined;
    this.#updateRestricting();
  }

  /**
   * Carries out a request of PERSISTENT RESERVE OUT, as one event, and tells all who must hear of it.
   *
   * @param finish says what becomes of the command, once the request holds or is refused
   */
  perform(
    sender: NexusIdentity,
    request: ReservationRequest,
    finish: (result: ReservationResult) => Operation,
  ): Operation {
    return this.#afterSaving(() => {
      if (this.isReserved) return finish({ kind: "refused", refusal: "conflict" });
      const next = transition(this.#state, sender, request);
      if (next.kind === "refused") return finish(next);
      const store = this.#storeToSave(next.state);
      if (store === undefined) return finish(this.#commit(next));
      const saved = this.#save(store, next);
      this.#saving = saved;
      return { kind: "later", operation: saved.then(finish) };
    });
  }

  /**
   * Clears everything that anybody has registered or reserved, of either kind, on behalf of an administrator, and tells
   * all whom that concerns.
   *
   * @throws {StoreError} (rejects) when what was to outlive a loss of power cannot be removed; nothing has changed then
   */
  async clear(): Promise<void> {
    while (this.#saving !== undefined) await this.#saving;
    const next = clearByAdministrator(this.#state);
    const store = this.#storeToSave(next.state);
    if (store === undefined) this.#commit(next);
    else {
      const saved = this.#save(store, next);
      this.#saving = saved;
      if ((await saved).kind === "refused") {
        throw new StoreError("writeFailed", "Cannot save that they are cleared");
      }
    }
    this.#reserver?.establish(Sense.reservationsReleased);
    this.reset();
  }

  /** Does something when no request is being saved any more: mostly at once. */
  #afterSaving(act: () => Operation): Operation {
    if (this.#saving === undefined) return act();
    let isCancelled = false;
    const operation = this.#saving.then(() => isCancelled ? CANCELLED : this.#afterSaving(act));
    return { kind: "later", operation, cancel: () => isCancelled = true };
  }

  /** Where a state must be saved before it holds; undefined when it need not be. */
  #storeToSave(next: PersistentState): ReservationStore | undefined {
    return next.persists || this.#state.persists ? this.#store : undefined;
  }

  /** The reason of a failure is the store's to report; the next change tries again. */
  async #rewrite(store: ReservationStore): Promise<void> {
    try {
      await store.save(this.#state);
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
    } finally {
      this.#saving = undefined;
    }
  }

  async #save(store: ReservationStore, next: Transition & { kind: "accepted" }): Promise<ReservationResult> {
    try {
      await store.save(next.state);
      return this.#commit(next);
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      return { kind: "refused", refusal: "cannotSave" };
    } finally {
      this.#saving = undefined;
    }
  }

  #commit({ state, notices, aborted }: Transition & { kind: "accepted" }): ReservationResult {
    this.#state = state;
    this.#updateRestricting();
    const works: Promise<unknown>[] = [];
    const noticesById = Map.groupBy(notices, ({ id }) => id);
    const abortedIds = new Set(aborted);
    for (const nexus of this.#nexuses) {
      for (const { attention } of noticesById.get(nexus.id) ?? []) nexus.establish(Sense[attention]);
      const work = abortedIds.has(nexus.id) ? nexus.preemptAndAbort() : undefined;
      if (work !== undefined) works.push(work);
    }
    return { kind: "accepted", settled: works.length === 0 ? undefined : Promise.all(works) };
  }

  /** What becomes of RESERVE and RELEASE where there are persistent registrations (SPC-4, 5.13.3; SPC-2, 5.5.1). */
  #decideCompatibly(nexus: AttachedNexus): Finished | undefined {
    if (this.#state.reservation !== undefined && isAdmitted(this.#state, nexus.id)) return FINISHED_GOOD;
    return this.#state.registrations.size > 0 ? RESERVATION_CONFLICT : undefined;
  }

  #forget(nexus: AttachedNexus): void {
    if (this.#reserver !== nexus) return;
    this.#reserver = undefined;
    this.#updateRestricting();
  }

  #updateRestricting(): void {
    this.isRestricting = this.#reserver !== undefined || this.#state.reservation !== undefined;
  }
}
