/** Most bits of a map, and so the memory that it takes: 1 MiB. */
const GRANULES_MAX = 8 * 1024 * 1024;

/** The smallest granule: a page, and a block of the usual file systems. */
export const GRANULE_BYTES_MIN = 4096;

const WORD_GRANULES = 32;
const WORD_FULL = 0xffff_ffff;

/**
 * Words of a map whose unmapped granules are counted together. Of a map of the largest size there are as many blocks as
 * there are words in one, so that a search looks at some 1,500 numbers at most, however large the store is.
 */
const BLOCK_WORDS = 512;
const BLOCK_GRANULES = BLOCK_WORDS * WORD_GRANULES;

/** Bytes that are alike: from the offset that was asked for up to `endBytes`. */
export interface Extent {
  /** False only when they take no space and read as zeros; true also when that is not known. */
  readonly isMapped: boolean;
  readonly endBytes: number;
}

/**
 * The bytes of a store that are known to take no space: a bit for each granule, set while nothing of the granule has
 * been written since all of it was unmapped. The larger the store the larger the granule, so that a map is never large;
 * what is unmapped in smaller pieces counts as mapped, which is always allowed to be said.
 */
export class SpaceMap {
  readonly #sizeBytes: number;
  readonly #granuleBytes: number;
  readonly #granules: number;
  readonly #unmapped: Uint32Array;
  /** For each block of words how many bits of it are set. */
  readonly #unmappedCounts: Uint16Array;

  /** @param isUnmapped whether all of the store is known to take no space now */
  constructor(sizeBytes: number, isUnmapped: boolean) {
    this.#sizeBytes = sizeBytes;
    this.#granuleBytes = granuleBytesFor(sizeBytes);
    this.#granules = Math.ceil(sizeBytes / this.#granuleBytes);
    this.#unmapped = new Uint32Array(Math.ceil(this.#granules / WORD_GRANULES));
    this.#unmappedCounts = new Uint16Array(Math.ceil(this.#unmapped.length / BLOCK_WORDS));
    if (isUnmapped) this.#fill(0, this.#granules, true);
  }

  /** The same for a larger store, of which nothing more is known than before. */
  resized(sizeBytes: number): SpaceMap {
    const map = new SpaceMap(sizeBytes, false);
    let words = this.#unmapped.slice();
    // What the store has gained begins within its last granule.
    const whole = Math.floor(this.#sizeBytes / this.#granuleBytes);
    if (whole < this.#granules) words[whole >>> 5]! &= ~(1 << (whole & 31));
    for (let granule = this.#granuleBytes; granule < map.#granuleBytes; granule *= 2) words = halve(words);
    map.#unmapped.set(words);
    for (let word = 0; word < words.length; word++) {
      map.#unmappedCounts[Math.floor(word / BLOCK_WORDS)]! += countBits(words[word]!);
    }
    return map;
  }

  /** Takes note of a write, before it takes place. */
  markMapped(offset: number, lengthBytes: number): void {
    const first = Math.floor(offset / this.#granuleBytes);
    const last = Math.floor((offset + lengthBytes - 1) / this.#granuleBytes);
    this.#fill(first, last + 1, false);
  }

  /** Takes note of bytes that have been unmapped: the granules that lie within them, the store's last one included. */
  markUnmapped(offset: number, lengthBytes: number): void {
    const end = offset + lengthBytes;
    const first = Math.ceil(offset / this.#granuleBytes);
    const behind = end === this.#sizeBytes ? this.#granules : Math.floor(end / this.#granuleBytes);
    this.#fill(first, behind, true);
  }

  /** Whether all of these bytes are known to take no space. */
  isUnmapped(offset: number, lengthBytes: number): boolean {
    const first = Math.floor(offset / this.#granuleBytes);
    const behind = Math.ceil((offset + lengthBytes) / this.#granuleBytes);
    return this.#isUnmapped(first) && this.#endOfRun(first, behind) === behind;
  }

  /** The bytes from `offset` on that are alike. */
  extentAt(offset: number): Extent {
    const granule = Math.floor(offset / this.#granuleBytes);
    const end = this.#endOfRun(granule, this.#granules);
    return {
      isMapped: !this.#isUnmapped(granule),
      endBytes: Math.min(end * this.#granuleBytes, this.#sizeBytes),
    };
  }

  #isUnmapped(granule: number): boolean {
    return (this.#unmapped[granule >>> 5]! & 1 << (granule & 31)) !== 0;
  }

  /** The first granule behind one that is not like it, or `behind` if that is before it. */
  #endOfRun(granule: number, behind: number): number {
    const isUnmapped = this.#isUnmapped(granule);
    const unlike = isUnmapped ? WORD_FULL : 0;
    const alikeCount = isUnmapped ? BLOCK_GRANULES : 0;
    const words = Math.ceil(behind / WORD_GRANULES);
    let mask = -1 << (granule & 31);
    for (let word = granule >>> 5; word < words;) {
      const others = (this.#unmapped[word]! ^ unlike) & mask;
      if (others !== 0) return Math.min(word * WORD_GRANULES + lowestBit(others), behind);
      mask = -1;
      word++;
      while (
        word % BLOCK_WORDS === 0 && word < words && this.#unmappedCounts[word / BLOCK_WORDS] === alikeCount
      ) {
        word += BLOCK_WORDS;
      }
    }
    return behind;
  }

  /** Sets or clears the bits of granules. */
  #fill(first: number, behind: number, isUnmapped: boolean): void {
    for (let granule = first; granule < behind;) {
      if (granule % BLOCK_GRANULES === 0 && granule + BLOCK_GRANULES <= behind) {
        this.#fillBlock(granule / BLOCK_GRANULES, isUnmapped);
        granule += BLOCK_GRANULES;
      } else {
        const end = Math.min((granule | 31) + 1, behind);
        this.#fillWithinWord(granule, end, isUnmapped);
        granule = end;
      }
    }
  }

  #fillBlock(block: number, isUnmapped: boolean): void {
    this.#unmapped.fill(isUnmapped ? WORD_FULL : 0, block * BLOCK_WORDS, (block + 1) * BLOCK_WORDS);
    this.#unmappedCounts[block] = isUnmapped ? BLOCK_GRANULES : 0;
  }

  #fillWithinWord(first: number, behind: number, isUnmapped: boolean): void {
    const word = first >>> 5;
    const mask = -1 << (first & 31) & -1 >>> (31 - ((behind - 1) & 31));
    const before = this.#unmapped[word]!;
    const after = (isUnmapped ? before | mask : before & ~mask) >>> 0;
    // Nearly every write goes where something was written before.
    if (after === before) return;
    this.#unmapped[word] = after;
    this.#unmappedCounts[Math.floor(word / BLOCK_WORDS)]! += countBits(after) - countBits(before);
  }
}

function granuleBytesFor(sizeBytes: number): number {
  let granuleBytes = GRANULE_BYTES_MIN;
  while (sizeBytes / granuleBytes > GRANULES_MAX) granuleBytes *= 2;
  return granuleBytes;
}

/** The number of the lowest bit that is set, of which there is one. */
function lowestBit(word: number): number {
  return 31 - Math.clz32(word & -word);
}

function countBits(word: number): number {
  const pairs = word - (word >>> 1 & 0x5555_5555);
  const fours = (pairs & 0x3333_3333) + (pairs >>> 2 & 0x3333_3333);
  return Math.imul(fours + (fours >>> 4) & 0x0f0f_0f0f, 0x0101_0101) >>> 24;
}

/** One bit for each two: set if both are. */
function halve(words: Uint32Array): Uint32Array<ArrayBuffer> {
  const halved = new Uint32Array(Math.ceil(words.length / 2));
  for (let index = 0; index < words.length; index++) {
    halved[index >>> 1]! |= halveWord(words[index]!) << (index & 1) * 16;
  }
  return halved;
}

/** The lower 16 bits of the result are one for each two of a word. */
function halveWord(word: number): number {
  let bits = word & word >>> 1 & 0x5555_5555;
  bits = (bits | bits >>> 1) & 0x3333_3333;
  bits = (bits | bits >>> 2) & 0x0f0f_0f0f;
  bits = (bits | bits >>> 4) & 0x00ff_00ff;
  return (bits | bits >>> 8) & 0xffff;
}
