/** A range of bytes of a store. */
export interface ByteRange {
  readonly offset: number;
  readonly lengthBytes: number;
}

/** Returns the same bytes in ascending order of offset, in as few ranges as possible. */
export function mergeRanges(ranges: readonly ByteRange[]): ByteRange[] {
  const merged: ByteRange[] = [];
  for (const range of ranges.toSorted((a, b) => a.offset - b.offset)) {
    if (range.lengthBytes === 0) continue;
    const last = merged.at(-1);
    if (last === undefined || range.offset > endOf(last)) merged.push(range);
    else merged[merged.length - 1] = spanning(last, range);
  }
  return merged;
}

/** Adds a range to `ranges`, which `mergeRanges` returned, and merges it with those that it overlaps or touches. */
export function insertRange(ranges: ByteRange[], range: ByteRange): void {
  const first = firstEndingAfter(ranges, range.offset - 1);
  let merged = range;
  let next = first;
  for (; next < ranges.length && ranges[next]!.offset <= endOf(range); next++) {
    merged = spanning(merged, ranges[next]!);
  }
  ranges.splice(first, next - first, merged);
}

/** Returns whether any of `ranges`, which `mergeRanges` returned, has a byte of a range. */
export function overlapsAny(ranges: readonly ByteRange[], offset: number, lengthBytes: number): boolean {
  const first = firstEndingAfter(ranges, offset);
  return first < ranges.length && ranges[first]!.offset < offset + lengthBytes;
}

/** Returns the index of the first of ascending ranges that ends after an offset; their number if there is none. */
function firstEndingAfter(ranges: readonly ByteRange[], offset: number): number {
  let low = 0;
  let high = ranges.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (endOf(ranges[middle]!) > offset) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Splits a range into its whole granules and the edges before and after them; each may be empty. */
export function cutAtGranules(
  { offset, lengthBytes }: ByteRange,
  granuleBytes: number,
): { readonly whole: ByteRange; readonly edges: readonly ByteRange[] } {
  const end = offset + lengthBytes;
  const first = Math.ceil(offset / granuleBytes) * granuleBytes;
  const last = Math.floor(end / granuleBytes) * granuleBytes;
  if (first >= last) return { whole: { offset, lengthBytes: 0 }, edges: [{ offset, lengthBytes }] };
  return {
    whole: { offset: first, lengthBytes: last - first },
    edges: [{ offset, lengthBytes: first - offset }, { offset: last, lengthBytes: end - last }]
      .filter((edge) => edge.lengthBytes > 0),
  };
}

function endOf({ offset, lengthBytes }: ByteRange): number {
  return offset + lengthBytes;
}

function spanning(one: ByteRange, other: ByteRange): ByteRange {
  const offset = Math.min(one.offset, other.offset);
  return { offset, lengthBytes: Math.max(endOf(one), endOf(other)) - offset };
}
