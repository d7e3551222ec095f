/** Random numbers that are the same for the same seed (mulberry32). */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** In 0 ... 2^32 - 1. */
  uint32(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let value = this.#state;
    value = Math.imul(value ^ (value >>> 15), value | 1);
    value ^= value + Math.imul(value ^ (value >>> 7), value | 61);
    return (value ^ (value >>> 14)) >>> 0;
  }

  /** In 0 ... `bound` - 1. */
  below(bound: number): number {
    return this.uint32() % bound;
  }

  /** True once in `times`. */
  oneIn(times: number): boolean {
    return this.below(times) === 0;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!;
  }

  /** The same items in another order. */
  shuffled<T>(items: readonly T[]): T[] {
    const result: T[] = [];
    for (const item of items) result.splice(this.below(result.length + 1), 0, item);
    return result;
  }

  bytes(length: number): Uint8Array {
    const words = new Uint32Array((length + 3) >> 2);
    for (let index = 0; index < words.length; index++) words[index] = this.uint32();
    return new Uint8Array(words.buffer, 0, length);
  }
}

/** A number from the environment, for long runs and for repeating one. */
export function numberFromEnvironment(name: string, otherwise: number): number {
  const text = Deno.env.get(name);
  return text === undefined ? otherwise : Number(text);
}
