import type { TargetConfig } from "../../config/config.ts";
import { Limits } from "../limits.ts";

/** By the iSCSI names of the targets. */
type Names = ReadonlyMap<string, { readonly config: TargetConfig }>;

/**
 * The targets that have gone while the node served, and how they were then: whom one of them was for is told that it
 * has been removed (RFC 7143, 11.13.5), and need not look for it any more.
 */
export class RemovedTargets {
  /** By iSCSI name; what went last stands last. */
  readonly #configs = new Map<string, TargetConfig>();

  /** Other targets are served from now on. A name that comes back is not removed any more. */
  replace(before: Names, after: Names): void {
    for (const [name, { config }] of before) if (!after.has(name)) this.#configs.set(name, config);
    for (const name of after.keys()) this.#configs.delete(name);
    for (const name of this.#configs.keys()) {
      if (this.#configs.size <= Limits.removedTargets) break;
      this.#configs.delete(name);
    }
  }

  /** How the target of this name was; undefined when none is known to have gone. */
  get(name: string): TargetConfig | undefined {
    return this.#configs.get(name);
  }

  /** Each of them. */
  [Symbol.iterator](): IterableIterator<TargetConfig> {
    return this.#configs.values();
  }
}
