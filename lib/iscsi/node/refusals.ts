import { Limits } from "../limits.ts";
import { REFUSAL_REASONS, type RefusalReason } from "../events/refusal_reason.ts";

/** Who was refused what, and why. */
export interface Refusal {
  readonly peerAddress: string;
  /** Names as the initiator claims them, folded; null where it did not get so far, or wanted no target. */
  readonly initiatorName: string | null;
  readonly targetName: string | null;
  readonly reason: RefusalReason;
  /** What exactly refused. */
  readonly rule: string;
}

/** A refusal that may have happened again and again. */
export interface RepeatedRefusal extends Refusal {
  readonly count: number;
  /** Milliseconds since 1970. */
  readonly firstAtMs: number;
  readonly lastAtMs: number;
}

/** What has been refused, as plain data. */
export interface RefusalFigures {
  readonly totals: Readonly<Record<RefusalReason, number>>;
  /** Newest first. */
  readonly recent: readonly RepeatedRefusal[];
}

/** Remembers the latest refusals, equal ones once, and counts all. */
export class Refusals {
  readonly #totals = new Map<RefusalReason, number>();
  /** By all that is said of them, the latest last. */
  readonly #recent = new Map<string, RepeatedRefusal>();

  /** Takes note of a refusal. */
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

  /** What has been refused. */
  figures(): RefusalFigures {
    const totals = REFUSAL_REASONS.map((reason) => [reason, this.#totals.get(reason) ?? 0]);
    return { totals: Object.fromEntries(totals), recent: [...this.#recent.values()].reverse() };
  }
}
