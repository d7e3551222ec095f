import { LinkedQueue } from "../../base/linked_queue.ts";
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

/** The result of a request of PERSISTENT RESERVE OUT. */
export type ReservationResult =
  | { readonly kind: "accepted"; readonly settled: Promise<unknown> | undefined }
  | { readonly kind: "refused"; readonly refusal: ReservationRefusal | "cannotSave" };

/**
 * The reservations of a logical unit, of both kinds. Persistent reservations (SPC-4, 5.13) belong to I_T nexuses by
 * name and last until they are released. The reservation by RESERVE (SPC-2, 5.5) ends with its nexus or with a reset.
 * Only one kind is in use at a time.
 *
 * A state that persists is saved to stable storage before it takes effect, so a request that cannot be saved changes
 * nothing. Further requests wait until then.
 */
export class Reservations {
  readonly #nexuses: ReadonlySet<AttachedNexus>;
  #store: ReservationStore | undefined;
  #state: PersistentState;
  /** The holder of the reservation by RESERVE. */
  #reserver: AttachedNexus | undefined;
  /** Resolves when the request that is being saved has taken effect or failed; undefined when none is being saved. */
  #saving: Promise<unknown> | undefined;
  /** Begin the requests that wait for that, in the order of their arrival. */
  readonly #waiting = new LinkedQueue<() => void>();
  #areUnknown: boolean;
  /** True while a reservation restricts some nexus. Every command checks this flag, usually nothing else. */
  isRestricting = false;

  /**
   * @param nexuses the live set of nexuses that are attached to the logical unit
   * @param store stable storage for reservations; undefined when they cannot persist, "unreadable" when the saved ones
   *   cannot be read
   */
  constructor(nexuses: ReadonlySet<AttachedNexus>, store: ReservationStore | "unreadable" | undefined) {
    this.#nexuses = nexuses;
    this.#state = UNRESERVED;
    this.#areUnknown = store === "unreadable";
    if (store !== undefined && store !== "unreadable") this.learn(store);
  }

  /** The saved reservations cannot be read. Until they can, no initiator may use the medium or reserve it. */
  get areUnknown(): boolean {
    return this.#areUnknown;
  }

  /** Adopts the saved reservations. There must be none yet. */
  learn(store: ReservationStore): void {
    this.#store = store;
    this.#state = store.saved ?? UNRESERVED;
    this.#areUnknown = false;
    if (store.needsRewrite === true) this.#waitFor(this.#rewrite(store));
    this.#updateRestricting();
  }

  /** The current persistent reservations. */
  get state(): PersistentState {
    return this.#state;
  }

  /** The holder of the reservation by RESERVE; undefined when there is none. */
  get reserver(): NexusIdentity | undefined {
    return this.#reserver?.identity;
  }

  /** True when persistent reservations can survive a loss of power. */
  get canPersist(): boolean {
    return this.#store !== undefined;
  }

  /** True while any nexus holds the reservation by RESERVE: PERSISTENT RESERVE IN and OUT conflict (SPC-2, 5.5.1). */
  get isReserved(): boolean {
    return this.#reserver !== undefined;
  }

  /** Returns the type of the reservation that a nexus holds; "reserve" for that by RESERVE; null for none. */
  heldBy(nexus: AttachedNexus): ReservationType | "reserve" | null {
    if (this.#reserver === nexus) return "reserve";
    return isHolder(this.#state, nexus.id) ? this.#state.reservation!.type : null;
  }

  /** Reports whether a command of this class, from this nexus, conflicts with the reservation of another. */
  conflictsWith(access: Access, nexus: AttachedNexus): boolean {
    if (this.#reserver !== undefined && this.#reserver !== nexus) return ACCESS[access].conflictsWithReserve;
    return conflicts(this.#state, nexus.id, access);
  }

  /** RESERVE (SPC-2, 7.21), with the exceptions of SPC-4, 5.13.3, for nexuses that a reservation admits. */
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

  /** RELEASE (SPC-2, 7.17), with the same exceptions. A nexus that is no holder releases nothing, without an error. */
  release(nexus: AttachedNexus): Operation {
    return this.#afterSaving(() => {
      const decided = this.#decideCompatibly(nexus);
      if (decided !== undefined) return decided;
      this.#forget(nexus);
      return FINISHED_GOOD;
    });
  }

  /** Ends the reservation by RESERVE of a nexus that is lost (SAM-5, 6.3.4). */
  loseNexus(nexus: AttachedNexus): void {
    this.#forget(nexus);
  }

  /** Ends the reservation by RESERVE for a logical unit reset (SAM-5, 6.3.3). Persistent ones are not affected. */
  reset(): void {
    this.#reserver = undefined;
    this.#updateRestricting();
  }

  /**
   * Performs a request of PERSISTENT RESERVE OUT atomically, and notifies the nexuses that it affects.
   *
   * @param finish ends the command, when the request has taken effect or is refused
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
      const operation = saved.then(finish);
      this.#waitFor(saved);
      return { kind: "later", operation };
    });
  }

  /**
   * Clears all registrations and reservations of both kinds for an administrator, and notifies the nexuses that are
   * affected.
   *
   * @throws {StoreError} (rejects) when the saved state cannot be replaced; nothing has changed then
   */
  async clear(): Promise<void> {
    if (this.#isFree) return await this.#clear();
    await new Promise<void>((resolve) => this.#waiting.push(() => resolve(this.#clear())));
  }

  async #clear(): Promise<void> {
    const next = clearByAdministrator(this.#state);
    const store = this.#storeToSave(next.state);
    if (store === undefined) {
      this.#commit(next);
      return this.#release();
    }
    // A RESERVE that waits begins after that, and keeps what it gets.
    const saved = this.#save(store, next).then((result) => {
      if (result.kind !== "refused") this.#release();
      return result;
    });
    this.#waitFor(saved);
    if ((await saved).kind === "refused") {
      throw new StoreError("writeFailed", "Cannot save the cleared reservations");
    }
  }

  #release(): void {
    this.#reserver?.establish(Sense.reservationsReleased);
    this.reset();
  }

  /** Calls `act` when no request is being saved: usually at once. */
  #afterSaving(act: () => Operation): Operation {
    if (this.#isFree) return act();
    const { promise, resolve } = Promise.withResolvers<Operation>();
    let isCancelled = false;
    this.#waiting.push(() => resolve(isCancelled ? CANCELLED : act()));
    return { kind: "later", operation: promise, cancel: () => isCancelled = true };
  }

  /** True when a request can begin at once: none is being saved, and none waits. */
  get #isFree(): boolean {
    return this.#saving === undefined && this.#waiting.isEmpty;
  }

  /** Lets requests wait until one is saved. */
  #waitFor(saved: Promise<unknown>): void {
    this.#saving = saved;
    saved.then(() => this.#beginWaiting());
  }

  /** Begins the requests that wait, until one of them is being saved. */
  #beginWaiting(): void {
    while (this.#saving === undefined && !this.#waiting.isEmpty) this.#waiting.shift()!();
  }

  /** Returns the store in which a state must be saved before it takes effect; undefined when it need not be saved. */
  #storeToSave(next: PersistentState): ReservationStore | undefined {
    return next.persists || this.#state.persists ? this.#store : undefined;
  }

  /** Saves the state again as it is. The store reports a failure, and the next change tries again. */
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
    // Most requests concern only their sender, however many nexuses there are.
    if (notices.length === 0 && aborted.length === 0) return { kind: "accepted", settled: undefined };
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

  /** Decides RESERVE and RELEASE where there are persistent registrations (SPC-4, 5.13.3; SPC-2, 5.5.1). */
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
