/** The contents of blocks, from every write; unknown where a write may or may not have taken place. */
import { tagsOf, TORN } from "../crash/_notes.ts";

/** Consecutive blocks, with the content that their writer expects. */
export class BlockModel {
  readonly #first: number;
  /** For each block the numbers of the writes of which one is there; 0 is zeros. */
  readonly #possible: number[][];

  /** All of them are zeros, from the LUN's block `first` on. */
  constructor(first: number, blocks: number) {
    this.#first = first;
    this.#possible = Array.from({ length: blocks }, () => [0]);
  }

  /** A write was acknowledged. */
  written(lba: number, blocks: number, id: number): void {
    this.#possible.fill([id], lba - this.#first, lba - this.#first + blocks);
  }

  /** Marks the blocks of a write as possibly written. */
  doubt(lba: number, blocks: number, id: number): void {
    for (let at = lba - this.#first; at < lba - this.#first + blocks; at++) {
      this.#possible[at] = [...this.#possible[at]!, id];
    }
  }

  /** The write that all of these blocks hold; undefined when there are several, or when it is unknown. */
  whole(lba: number, blocks: number): number | undefined {
    const stretch = this.#possible.slice(lba - this.#first, lba - this.#first + blocks);
    const id = stretch[0]?.[0];
    return stretch.every(({ length, 0: first }) => length === 1 && first === id) ? id : undefined;
  }

  /** The writes that blocks hold; undefined when one is unknown. */
  known(lba: number, blocks: number): number[] | undefined {
    const stretch = this.#possible.slice(lba - this.#first, lba - this.#first + blocks);
    return stretch.every(({ length }) => length === 1) ? stretch.map(([id]) => id!) : undefined;
  }

  /** Compares the data read, and records them for unknown blocks. Returns the first difference. */
  check(lba: number, content: Uint8Array): string | undefined {
    for (const [index, tag] of tagsOf(content, lba).entries()) {
      const at = lba - this.#first + index;
      const possible = this.#possible[at]!;
      if (!possible.includes(tag)) {
        const found = tag === TORN ? "bytes that nobody wrote" : `write ${tag}`;
        return `block ${lba + index} holds ${found} and not ${possible.join(" or ")}`;
      }
      if (possible.length > 1) this.#possible[at] = [tag];
    }
    return undefined;
  }
}
