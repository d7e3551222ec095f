/**
 * Returns the most reactions that were added to one promise during some work, not counting those of `await`. A promise
 * keeps a reaction until it is settled, so a long-lived one that gets many of them is a leak: `Promise.race` adds one.
 */
export async function mostReactions(work: () => Promise<unknown>): Promise<number> {
  const counts = new Map<Promise<unknown>, number>();
  const { then } = Promise.prototype;
  const counted = function (this: Promise<unknown>, ...reactions: Parameters<typeof then>): Promise<unknown> {
    counts.set(this, (counts.get(this) ?? 0) + 1);
    return then.apply(this, reactions);
  };
  Promise.prototype.then = counted as typeof then;
  try {
    await work();
  } finally {
    Promise.prototype.then = then;
  }
  return Math.max(0, ...counts.values());
}
