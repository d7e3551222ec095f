/**
 * Returns the candidate that a mistyped word probably means: the one with the fewest insertions, deletions,
 * replacements and swaps of neighbours, ignoring case; undefined when more than a third of the word is wrong.
 */
export function nearestWord(word: string, candidates: readonly string[]): string | undefined {
  let nearest: string | undefined;
  let nearestDistance = Math.floor((word.length + 1) / 3) + 1;
  for (const candidate of candidates) {
    // The distance is at least the difference in length, so a long text is skipped quickly.
    if (Math.abs(candidate.length - word.length) >= nearestDistance) continue;
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (distance < nearestDistance) {
      nearest = candidate;
      nearestDistance = distance;
    }
  }
  return nearest;
}

/** Returns the optimal string alignment distance: Levenshtein's, with a swap of two neighbours as one step. */
function editDistance(from: string, to: string): number {
  let twoBefore: number[] = [];
  let before = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let i = 1; i <= from.length; i++) {
    const row = [i];
    for (let j = 1; j <= to.length; j++) {
      const replaced = before[j - 1]! + (from[i - 1] === to[j - 1] ? 0 : 1);
      let distance = Math.min(before[j]! + 1, row[j - 1]! + 1, replaced);
      const isSwap = i > 1 && j > 1 && from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1];
      if (isSwap) distance = Math.min(distance, twoBefore[j - 2]! + 1);
      row.push(distance);
    }
    twoBefore = before;
    before = row;
  }
  return before[to.length]!;
}
