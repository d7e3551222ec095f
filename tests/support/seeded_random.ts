/** A generator of random numbers (mulberry32) whose sequence follows from its seed. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** Returns a number from 0 to 2^32 - 1. */
  uint32(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let value = this.#state;
    value = Math.imul(value ^ (value >>> 15), value | 1);
    value ^= value + Math.imul(value ^ (value >>> 7), value | 61);
    return (value ^ (value >>> 14)) >>> 0;
  }

  /** Returns a number from 0 to `bound` - 1. */
  below(bound: number): number {
    return this.uint32() % bound;
  }

  /** Returns true once in `times`, on average. */
  oneIn(times: number): boolean {
    return this.below(times) === 0;
  }

  /** Returns one of the items. */
  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!;
  }

  /** Returns the items in another order. */
  shuffled<T>(items: readonly T[]): T[] {
    const result: T[] = [];
    for (const item of items) result.splice(this.below(result.length + 1), 0, item);
    return result;
  }

  /** Returns random bytes. */
  bytes(length: number): Uint8Array {
    const words = new Uint32Array((length + 3) >> 2);
    for (let index = 0; index < words.length; index++) words[index] = this.uint32();
    return new Uint8Array(words.buffer, 0, length);
  }
}

/** Returns a function that returns a number from 0 to `below` - 1. */
export function seededRandom(seed: number): (below: number) => number {
  const random = new Random(seed);
  return (below) => random.below(below);
}

/** Returns a number from the environment, for long runs and for repeating one. */
export function numberFromEnvironment(name: string, otherwise: number): number {
  const text = Deno.env.get(name);
  return text === undefined ? otherwise : Number(text);
}
