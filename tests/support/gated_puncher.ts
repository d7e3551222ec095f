import type { BlockStore } from "../../lib/store/block_store.ts";
import type { ByteRange } from "../../lib/store/byte_range.ts";
import type { HolePuncher, PunchResult } from "../../lib/store/hole_puncher.ts";

/** Makes holes in a store on command, so that a test can observe it at work. */
export class GatedPuncher implements HolePuncher {
  readonly #store: BlockStore;
  readonly #waiting: PromiseWithResolvers<PunchResult>[] = [];
  /** Every request that there was, oldest first. */
  readonly requests: (readonly ByteRange[])[] = [];

  constructor(store: BlockStore) {
    this.#store = store;
  }

  async punch(ranges: readonly ByteRange[]): Promise<PunchResult> {
    this.requests.push(ranges);
    const gate = Promise.withResolvers<PunchResult>();
    this.#waiting.push(gate);
    const result = await gate.promise;
    if (result === "punched") await this.#store.unmap(ranges);
    return result;
  }

  /** Lets the oldest request that waits end like this. */
  release(result: PunchResult = "punched"): void {
    const gate = this.#waiting.shift();
    if (gate === undefined) throw new RangeError("Cannot release a request for holes: none waits");
    gate.resolve(result);
  }
}
