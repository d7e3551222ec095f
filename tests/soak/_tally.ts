/** Counts of what was done, and everything that went wrong. */
export class Tally {
  readonly #counts = new Map<string, number>();
  readonly errors: string[] = [];
  blocks = 0;

  /** Counts something that was done, and the blocks that it moved. */
  count(name: string, blocks = 0): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1);
    this.blocks += blocks;
  }

  /** Returns how often something was done. */
  of(name: string): number {
    return this.#counts.get(name) ?? 0;
  }

  /** Returns all counts, the largest first. */
  toString(): string {
    return [...this.#counts].sort(([, a], [, b]) => b - a).map(([name, count]) => `${count} ${name}`).join(
      ", ",
    );
  }
}
