/** The place of a value in a queue. */
export interface QueueEntry<Value> {
  readonly value: Value;
}

interface Link<Value> extends QueueEntry<Value> {
  previous: Link<Value> | undefined;
  next: Link<Value> | undefined;
}

/**
 * A queue that removes any of its values in constant time. A `Set` does not: to find its first value it passes the
 * places of those that were removed before it.
 */
export class LinkedQueue<Value> {
  #first: Link<Value> | undefined;
  #last: Link<Value> | undefined;

  get isEmpty(): boolean {
    return this.#first === undefined;
  }

  /** The value that has been in the queue for longest; undefined when it is empty. */
  get first(): Value | undefined {
    return this.#first?.value;
  }

  /** Returns the values in their order. */
  *[Symbol.iterator](): IterableIterator<Value> {
    for (let link = this.#first; link !== undefined; link = link.next) yield link.value;
  }

  /** Adds a value at the end. */
  push(value: Value): QueueEntry<Value> {
    const link: Link<Value> = { value, previous: this.#last, next: undefined };
    if (this.#last === undefined) this.#first = link;
    else this.#last.next = link;
    this.#last = link;
    return link;
  }

  /** Removes and returns the value that has been in the queue for longest; undefined when it is empty. */
  shift(): Value | undefined {
    const first = this.#first;
    if (first !== undefined) this.remove(first);
    return first?.value;
  }

  /** Removes a value, which must be in this queue. */
  remove(entry: QueueEntry<Value>): void {
    const { previous, next } = entry as Link<Value>;
    if (previous === undefined) this.#first = next;
    else previous.next = next;
    if (next === undefined) this.#last = previous;
    else next.previous = previous;
  }
}
