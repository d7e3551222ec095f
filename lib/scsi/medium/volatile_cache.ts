/**
 * The volatile cache of a medium (SBC-3, 4.15), which is the page cache. It tracks whether all cached data is on the
 * medium, too.
 *
 * Changes are counted when they end, successful or not, because a failed one may have left data in the cache. A change
 * under way may have reached the cache in part. A flush makes durable the changes that had ended when it began.
 */
export class VolatileCache {
  /** Changes that have ended. It starts at 1, because a previous process may have left data in the cache. */
  #changes = 1;
  #underWay = 0;
  /** The value of `#changes` when the last successful flush began. */
  #durable = 0;

  /** All readable data is on the medium. */
  get isDurable(): boolean {
    return this.#durable === this.#changes && this.#underWay === 0;
  }

  /** Begins an asynchronous change. */
  begin(): void {
    this.#underWay++;
  }

  /** Ends an asynchronous change, successful or not. */
  end(): void {
    this.#underWay--;
    this.#changes++;
  }

  /** Counts a synchronous change, successful or not. */
  change(): void {
    this.#changes++;
  }

  /**
   * Flushes, and records which changes became durable.
   *
   * @throws the error of `flush`; nothing becomes durable then
   */
  async flush(flush: () => Promise<unknown>): Promise<void> {
    const changes = this.#changes;
    await flush();
    this.#durable = Math.max(this.#durable, changes);
  }
}
