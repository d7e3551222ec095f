/** Most bits of a map, and so the memory that it takes: 1 MiB. */
const GRANULES_MAX = 8 * 1024 * 1024;

/** The smallest granule: a page, and a block of the usual file systems. */
export const GRANULE_BYTES_MIN = 4096;

/** Bytes that are alike: from the offset that was asked for up to `endBytes`. */
export interface Extent {
  /** False only when they take no space and read as zeros; true also when that is not known. */
  readonly isMapped: boolean;
  readonly endBytes: number;
}

/**
 * Which bytes of a store are known to take no space: a bit for each granule, set while nothing of the granule has been
 * written since all of it was unmapped. The larger the store the larger the granule, so that a map is never large;
 * what is unmapped in smaller pieces counts as mapped, which is always allowed to be said.
 */
export class SpaceMap {
  readonly #sizeBytes: number;
  readonly #granuleBytes: number;
  readonly #unmapped: Uint8Array;

  /** @param isUnmapped whether all of the store is known to take no space now */
  constructor(sizeBytes: number, isUnmapped: boolean) {
    this.#sizeBytes = sizeBytes;
    this.#granuleBytes = GRANULE_BYTES_MIN;
    while (sizeBytes / this.#granuleBytes > GRANULES_MAX) this.#granuleBytes *= 2;
    const granules = Math.ceil(sizeBytes / this.#granuleBytes);
    this.#unmapped = new Uint8Array(Math.ceil(granules / 8));
    if (isUnmapped) this.#unmapped.fill(0xff);
  }

  /** The same for a larger store, of which nothing more is known than before. */
  resized(sizeBytes: number): SpaceMap {
    const map = new SpaceMap(sizeBytes, false);
    for (let offset = 0; offset < this.#sizeBytes;) {
      const { isMapped, endBytes } = this.extentAt(offset);
      if (!isMapped) map.markUnmapped(offset, endBytes - offset);
      offset = endBytes;
    }
    return map;
  }

  /** Takes note of a write, before it takes place. */
  markMapped(offset: number, lengthBytes: number): void {
    const last = Math.floor((offset + lengthBytes - 1) / this.#granuleBytes);
    for (let granule = Math.floor(offset / this.#granuleBytes); granule <= last; granule++) {
      this.#unmapped[granule >>> 3]! &= ~(1 << (granule & 7));
    }
  }

  /** Takes note that bytes take no space any more: the granules that lie within them, the store's last one included. */
  markUnmapped(offset: number, lengthBytes: number): void {
    const end = offset + lengthBytes;
    const first = Math.ceil(offset / this.#granuleBytes);
    const behind = end === this.#sizeBytes
      ? Math.ceil(end / this.#granuleBytes)
      : Math.floor(end / this.#granuleBytes);
    for (let granule = first; granule < behind; granule++) {
      // Whole bytes of the map at once: a range may be as large as the store.
      if ((granule & 7) === 0 && granule + 8 <= behind) {
        const bytes = Math.floor((behind - granule) / 8);
        this.#unmapped.fill(0xff, granule >>> 3, (granule >>> 3) + bytes);
        granule += bytes * 8 - 1;
      } else {
        this.#unmapped[granule >>> 3]! |= 1 << (granule & 7);
      }
    }
  }

  /** Whether all of these bytes are known to take no space. */
  isUnmapped(offset: number, lengthBytes: number): boolean {
    const { isMapped, endBytes } = this.extentAt(offset);
    return !isMapped && endBytes >= offset + lengthBytes;
  }

  /** The bytes from `offset` on that are alike. */
  extentAt(offset: number): Extent {
    const granule = Math.floor(offset / this.#granuleBytes);
    const isMapped = this.#isMapped(granule);
    let end = granule + 1;
    const granules = Math.ceil(this.#sizeBytes / this.#granuleBytes);
    const same = isMapped ? 0x00 : 0xff;
    while (end < granules) {
      if ((end & 7) === 0 && this.#unmapped[end >>> 3] === same) end += 8;
      else if (this.#isMapped(end) === isMapped) end++;
      else break;
    }
    return { isMapped, endBytes: Math.min(end * this.#granuleBytes, this.#sizeBytes) };
  }

  #isMapped(granule: number): boolean {
    return (this.#unmapped[granule >>> 3]! & 1 << (granule & 7)) === 0;
  }
}
