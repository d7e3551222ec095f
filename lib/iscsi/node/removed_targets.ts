import type { TargetConfig } from "../../config/config.ts";
import { Limits } from "../limits.ts";

/** Targets by their iSCSI names. */
type Names = ReadonlyMap<string, { readonly config: TargetConfig }>;

/**
 * Targets removed by a reload, with their last config. Initiators that a removed target admitted get status 0204 (RFC
 * 7143, 11.13.5).
 */
export class RemovedTargets {
  /** By iSCSI name; the last to be removed is last. */
  readonly #configs = new Map<string, TargetConfig>();

  /** Records a change of the served targets. A name that is served again is not removed. */
  replace(before: Names, after: Names): void {
    for (const [name, { config }] of before) if (!after.has(name)) this.#configs.set(name, config);
    for (const name of after.keys()) this.#configs.delete(name);
    for (const name of this.#configs.keys()) {
      if (this.#configs.size <= Limits.removedTargets) break;
      this.#configs.delete(name);
    }
  }

  /** Returns the last config of a removed target, or undefined when no such removal is known. */
  get(name: string): TargetConfig | undefined {
    return this.#configs.get(name);
  }

  /** Returns the last config of each removed target. */
  [Symbol.iterator](): IterableIterator<TargetConfig> {
    return this.#configs.values();
  }
}
