/** A range of bytes, up to and without `endBytes`. */
export interface TreeRange {
  readonly startBytes: number;
  readonly endBytes: number;
}

/** A subtree: a balanced search tree (AVL), ordered by the start of the ranges, and by number where these are equal. */
interface Node<Range> {
  readonly range: Range;
  readonly number: number;
  left: Subtree<Range>;
  right: Subtree<Range>;
  height: number;
  /** The greatest end of a range in the subtree. */
  maxEndBytes: number;
}

type Subtree<Range> = Node<Range> | undefined;

/**
 * Ranges that may overlap and be equal. To add one, to remove one, and to find one that overlaps takes time that grows
 * with the logarithm of their number.
 */
export class RangeTree<Range extends TreeRange> {
  #root: Subtree<Range>;
  /** The number of each range, which distinguishes equal ones. */
  readonly #numbers = new Map<Range, number>();
  #lastNumber = 0;

  get size(): number {
    return this.#numbers.size;
  }

  /** Adds a range that is not in the tree. */
  add(range: Range): void {
    this.#numbers.set(range, ++this.#lastNumber);
    this.#root = inserted(this.#root, range, this.#lastNumber);
  }

  /** Removes a range; returns false when it is not in the tree. */
  delete(range: Range): boolean {
    const number = this.#numbers.get(range);
    if (number === undefined) return false;
    this.#numbers.delete(range);
    this.#root = removed(this.#root, range, number);
    return true;
  }

  /** Returns the first range that overlaps another one and that `accepts` accepts; undefined when there is none. */
  find(other: TreeRange, accepts: (range: Range) => boolean): Range | undefined {
    return this.#root === undefined ? undefined : found(this.#root, other, accepts);
  }

  /** Returns all ranges that overlap another one. */
  overlapping(other: TreeRange): Range[] {
    const ranges: Range[] = [];
    this.find(other, (range) => {
      ranges.push(range);
      return false;
    });
    return ranges;
  }
}

function found<Range extends TreeRange>(
  node: Node<Range>,
  other: TreeRange,
  accepts: (range: Range) => boolean,
): Range | undefined {
  const { range, left, right } = node;
  if (left !== undefined && left.maxEndBytes > other.startBytes) {
    const within = found(left, other, accepts);
    if (within !== undefined) return within;
  }
  if (range.startBytes >= other.endBytes) return undefined;
  if (range.endBytes > other.startBytes && accepts(range)) return range;
  return right === undefined || right.maxEndBytes <= other.startBytes
    ? undefined
    : found(right, other, accepts);
}

function inserted<Range extends TreeRange>(
  node: Subtree<Range>,
  range: Range,
  number: number,
): Node<Range> {
  if (node === undefined) {
    return { range, number, left: undefined, right: undefined, height: 1, maxEndBytes: range.endBytes };
  }
  if (isBefore(range, number, node)) node.left = inserted(node.left, range, number);
  else node.right = inserted(node.right, range, number);
  return balanced(node);
}

function removed<Range extends TreeRange>(
  node: Subtree<Range>,
  range: Range,
  number: number,
): Subtree<Range> {
  if (node === undefined) return undefined;
  if (node.range === range) {
    if (node.left === undefined || node.right === undefined) return node.left ?? node.right;
    const next = firstOf(node.right);
    const right = removed(node.right, next.range, next.number);
    return balanced({ ...next, left: node.left, right });
  }
  if (isBefore(range, number, node)) node.left = removed(node.left, range, number);
  else node.right = removed(node.right, range, number);
  return balanced(node);
}

function isBefore<Range extends TreeRange>(range: Range, number: number, node: Node<Range>): boolean {
  const difference = range.startBytes - node.range.startBytes;
  return difference === 0 ? number < node.number : difference < 0;
}

function firstOf<Range>(node: Node<Range>): Node<Range> {
  let first = node;
  while (first.left !== undefined) first = first.left;
  return first;
}

/** Returns a subtree whose halves differ in height by at most one; they may have differed by two. */
function balanced<Range extends TreeRange>(node: Node<Range>): Node<Range> {
  const difference = heightOf(node.left) - heightOf(node.right);
  if (difference > 1) {
    const left = node.left!;
    if (heightOf(left.left) < heightOf(left.right)) node.left = withRightOnTop(left);
    return withLeftOnTop(node);
  }
  if (difference < -1) {
    const right = node.right!;
    if (heightOf(right.right) < heightOf(right.left)) node.right = withLeftOnTop(right);
    return withRightOnTop(node);
  }
  return updated(node);
}

function withLeftOnTop<Range extends TreeRange>(node: Node<Range>): Node<Range> {
  const top = node.left!;
  node.left = top.right;
  top.right = updated(node);
  return updated(top);
}

function withRightOnTop<Range extends TreeRange>(node: Node<Range>): Node<Range> {
  const top = node.right!;
  node.right = top.left;
  top.left = updated(node);
  return updated(top);
}

/** Computes what a node knows of its subtree again. */
function updated<Range extends TreeRange>(node: Node<Range>): Node<Range> {
  const { left, right, range } = node;
  node.height = Math.max(heightOf(left), heightOf(right)) + 1;
  node.maxEndBytes = Math.max(range.endBytes, left?.maxEndBytes ?? 0, right?.maxEndBytes ?? 0);
  return node;
}

function heightOf<Range>(node: Subtree<Range>): number {
  return node?.height ?? 0;
}
