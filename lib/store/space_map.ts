/** Maximum number of bits of a map, and so its memory: 1 MiB. */
const GRANULES_MAX = 8 * 1024 * 1024;

/** The smallest granule: a page, and a block of the usual file systems. */
export const GRANULE_BYTES_MIN = 4096;

const WORD_GRANULES = 32;
const WORD_FULL = 0xffff_ffff;

/**
 * Words of a map whose unmapped granules are counted together. A map of maximum size has as many blocks as a block has
 * words, so a search examines some 1,500 numbers at most, however large the store is.
 */
const BLOCK_WORDS = 512;
const BLOCK_GRANULES = BLOCK_WORDS * WORD_GRANULES;

/** A range of bytes that are all mapped or all unmapped, from the requested offset up to `endBytes`. */
export interface Extent {
  /** False only for bytes that take no space and read as zeros; true also when that is unknown. */
  readonly isMapped: boolean;
  readonly endBytes: number;
}

/**
 * The bytes of a store that are known to take no space. There is a bit for each granule, which is set while nothing of
 * the granule was written since all of it was unmapped. The granule grows with the store, so a map is never large. A
 * smaller range that is unmapped counts as mapped, which is always allowed.
 */
export class SpaceMap {
  readonly #sizeBytes: number;
  readonly #granuleBytes: number;
  readonly #granules: number;
  readonly #unmapped: Uint32Array;
  /** Number of set bits of each block of words. */
  readonly #unmappedCounts: Uint16Array;

  /** @param isUnmapped all of the store is known to take no space */
  constructor(sizeBytes: number, isUnmapped: boolean) {
    this.#sizeBytes = sizeBytes;
    this.#granuleBytes = granuleBytesFor(sizeBytes);
    this.#granules = Math.ceil(sizeBytes / this.#granuleBytes);
    this.#unmapped = new Uint32Array(Math.ceil(this.#granules / WORD_GRANULES));
    this.#unmappedCounts = new Uint16Array(Math.ceil(this.#unmapped.length / BLOCK_WORDS));
    if (isUnmapped) this.#fill(0, this.#granules, true);
  }

  /** Returns a map with the same content for a larger store. */
  resized(sizeBytes: number): SpaceMap {
    const map = new SpaceMap(sizeBytes, false);
    let words = this.#unmapped.slice();
    // The new bytes of the store begin within its last granule.
    const whole = Math.floor(this.#sizeBytes / this.#granuleBytes);
    if (whole < this.#granules) words[whole >>> 5]! &= ~(1 << (whole & 31));
    for (let granule = this.#granuleBytes; granule < map.#granuleBytes; granule *= 2) words = halve(words);
    map.#unmapped.set(words);
    for (let word = 0; word < words.length; word++) {
      map.#unmappedCounts[Math.floor(word / BLOCK_WORDS)]! += countBits(words[word]!);
    }
    return map;
  }

  /** Marks bytes as mapped, before they are written. */
  markMapped(offset: number, lengthBytes: number): void {
    const first = Math.floor(offset / this.#granuleBytes);
    const last = Math.floor((offset + lengthBytes - 1) / this.#granuleBytes);
    this.#fill(first, last + 1, false);
  }

  /** Marks the granules within unmapped bytes, including the last granule of the store. */
  markUnmapped(offset: number, lengthBytes: number): void {
    const end = offset + lengthBytes;
    const first = Math.ceil(offset / this.#granuleBytes);
    const endGranule = end === this.#sizeBytes ? this.#granules : Math.floor(end / this.#granuleBytes);
    this.#fill(first, endGranule, true);
  }

  /** Returns whether all of these bytes are known to take no space. */
  isUnmapped(offset: number, lengthBytes: number): boolean {
    const first = Math.floor(offset / this.#granuleBytes);
    const end = Math.ceil((offset + lengthBytes) / this.#granuleBytes);
    return this.#isUnmapped(first) && this.#endOfRun(first, end) === end;
  }

  /** Returns the range of equally mapped bytes from `offset` on. */
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

  /** Returns the first granule after `granule` that differs from it, or `end` if that is lower. */
  #endOfRun(granule: number, end: number): number {
    const isUnmapped = this.#isUnmapped(granule);
    const inverse = isUnmapped ? WORD_FULL : 0;
    const uniformCount = isUnmapped ? BLOCK_GRANULES : 0;
    const words = Math.ceil(end / WORD_GRANULES);
    let mask = -1 << (granule & 31);
    for (let word = granule >>> 5; word < words;) {
      const others = (this.#unmapped[word]! ^ inverse) & mask;
      if (others !== 0) return Math.min(word * WORD_GRANULES + lowestBit(others), end);
      mask = -1;
      word++;
      while (
        word % BLOCK_WORDS === 0 && word < words && this.#unmappedCounts[word / BLOCK_WORDS] === uniformCount
      ) {
        word += BLOCK_WORDS;
      }
    }
    return end;
  }

  /** Sets or clears the bits of granules. */
  #fill(first: number, end: number, isUnmapped: boolean): void {
    for (let granule = first; granule < end;) {
      if (granule % BLOCK_GRANULES === 0 && granule + BLOCK_GRANULES <= end) {
        this.#fillBlock(granule / BLOCK_GRANULES, isUnmapped);
        granule += BLOCK_GRANULES;
      } else {
        const wordEnd = Math.min((granule | 31) + 1, end);
        this.#fillWithinWord(granule, wordEnd, isUnmapped);
        granule = wordEnd;
      }
    }
  }

  #fillBlock(block: number, isUnmapped: boolean): void {
    this.#unmapped.fill(isUnmapped ? WORD_FULL : 0, block * BLOCK_WORDS, (block + 1) * BLOCK_WORDS);
    this.#unmappedCounts[block] = isUnmapped ? BLOCK_GRANULES : 0;
  }

  #fillWithinWord(first: number, end: number, isUnmapped: boolean): void {
    const word = first >>> 5;
    const mask = -1 << (first & 31) & -1 >>> (31 - ((end - 1) & 31));
    const before = this.#unmapped[word]!;
    const after = (isUnmapped ? before | mask : before & ~mask) >>> 0;
    // Nearly every write overwrites mapped bytes.
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

/** Returns the number of the lowest set bit; there must be one. */
function lowestBit(word: number): number {
  return 31 - Math.clz32(word & -word);
}

function countBits(word: number): number {
  const pairs = word - (word >>> 1 & 0x5555_5555);
  const fours = (pairs & 0x3333_3333) + (pairs >>> 2 & 0x3333_3333);
  return Math.imul(fours + (fours >>> 4) & 0x0f0f_0f0f, 0x0101_0101) >>> 24;
}

/** Merges each two bits into one: set if both are. */
function halve(words: Uint32Array): Uint32Array<ArrayBuffer> {
  const halved = new Uint32Array(Math.ceil(words.length / 2));
  for (let index = 0; index < words.length; index++) {
    halved[index >>> 1]! |= halveWord(words[index]!) << (index & 1) * 16;
  }
  return halved;
}

/** Merges each two bits of a word into the lower 16 bits of the result. */
function halveWord(word: number): number {
  let bits = word & word >>> 1 & 0x5555_5555;
  bits = (bits | bits >>> 1) & 0x3333_3333;
  bits = (bits | bits >>> 2) & 0x0f0f_0f0f;
  bits = (bits | bits >>> 4) & 0x00ff_00ff;
  return (bits | bits >>> 8) & 0xffff;
}
