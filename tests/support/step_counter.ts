/** The arrays that large tables are made of. */
const COUNTED = ["Uint8Array", "Uint16Array", "Uint32Array"] as const;

/**
 * Counts how often elements of typed arrays are read in some work: the steps of a search, which are the same on every
 * machine. Only arrays that are made within `prepare` are counted.
 */
export function countSteps<T>(prepare: () => T, work: (prepared: T) => void): number {
  const originals = COUNTED.map((name) => [name, globalThis[name]] as const);
  let steps = 0;
  const counting: ProxyHandler<Uint8Array | Uint16Array | Uint32Array> = {
    get(target, key): unknown {
      if (typeof key === "string" && /^\d+$/.test(key)) steps++;
      const value: unknown = Reflect.get(target, key);
      return typeof value === "function" ? value.bind(target) : value;
    },
  };
  for (const [name, original] of originals) {
    const construct = (target: typeof original, args: unknown[]): object =>
      new Proxy(Reflect.construct(target, args), counting);
    Object.defineProperty(globalThis, name, { value: new Proxy(original, { construct }) });
  }
  let prepared: T;
  try {
    prepared = prepare();
  } finally {
    for (const [name, original] of originals) Object.defineProperty(globalThis, name, { value: original });
  }
  steps = 0;
  work(prepared);
  return steps;
}
