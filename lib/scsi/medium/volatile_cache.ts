/**
 * The volatile cache of a medium (SBC-3, 4.15), which is the page cache: whether all of it is on the medium, too.
 *
 * Changes are counted when they end, successful or not: one that failed may have left something in the cache. One that
 * is under way may have reached the cache in part. A flush makes durable what had ended when it began.
 */
export class VolatileCache {
  /** Changes that have ended. A predecessor may have left something in the cache, which counts as one. */
  #changes = 1;
  #underWay = 0;
  /** How many had ended when the last flush began that succeeded. */
  #durable = 0;

  /** Every byte that can be read is on the medium. */
  get isDurable(): boolean {
    return this.#durable === this.#changes && this.#underWay === 0;
  }

  /** A change that takes time begins. */
  begin(): void {
    this.#underWay++;
  }

  /** It has ended, however. */
  end(): void {
    this.#underWay--;
    this.#changes++;
  }

  /** A change has begun and ended, however, at once. */
  change(): void {
    this.#changes++;
  }

  /**
   * Notes that a flush made durable what had ended before it.
   *
   * @throws whatever `flush` throws; nothing has become durable then
   */
  async flush(flush: () => Promise<unknown>): Promise<void> {
    const changes = this.#changes;
    await flush();
    this.#durable = Math.max(this.#durable, changes);
  }
}
