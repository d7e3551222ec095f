import { Limits } from "../limits.ts";
import { REFUSAL_REASONS, type RefusalReason } from "../events/refusal_reason.ts";

/** A refused login or connection. */
export interface Refusal {
  readonly peerAddress: string;
  /** Folded names as the initiator claims them; null when it has not named itself, or no target. */
  readonly initiatorName: string | null;
  readonly targetName: string | null;
  readonly reason: RefusalReason;
  /** The rule that refused, in words. */
  readonly rule: string;
}

/** Equal refusals, counted. */
export interface RepeatedRefusal extends Refusal {
  readonly count: number;
  /** Milliseconds since 1970. */
  readonly firstAtMs: number;
  readonly lastAtMs: number;
}

/** The refusals of a node, as plain data. */
export interface RefusalFigures {
  readonly totals: Readonly<Record<RefusalReason, number>>;
  /** Newest first. */
  readonly recent: readonly RepeatedRefusal[];
}

/** Counts all refusals and keeps the latest ones; equal ones are kept once. */
export class Refusals {
  readonly #totals = new Map<RefusalReason, number>();
  /** By all their fields, the latest last. */
  readonly #recent = new Map<string, RepeatedRefusal>();

  /** Adds a refusal. */
  add(refusal: Refusal, atMs: number): void {
    const { peerAddress, initiatorName, targetName, reason, rule } = refusal;
    this.#totals.set(reason, (this.#totals.get(reason) ?? 0) + 1);
    const key = JSON.stringify([peerAddress, initiatorName, targetName, reason, rule]);
    const before = this.#recent.get(key);
    this.#recent.delete(key);
    this.#recent.set(key, {
      ...refusal,
      count: (before?.count ?? 0) + 1,
      firstAtMs: before?.firstAtMs ?? atMs,
      lastAtMs: atMs,
    });
    const [oldest] = this.#recent.keys();
    if (this.#recent.size > Limits.recentRefusals) this.#recent.delete(oldest!);
  }

  /** Returns the counts and the latest refusals. */
  figures(): RefusalFigures {
    const totals = REFUSAL_REASONS.map((reason) => [reason, this.#totals.get(reason) ?? 0]);
    return { totals: Object.fromEntries(totals), recent: [...this.#recent.values()].reverse() };
  }
}
