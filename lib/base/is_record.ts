/** An object of JSON: neither null nor an array. */
export type JsonRecord = Readonly<Record<string, unknown>>;

/** Returns whether a value is an object of JSON. */
export function isRecord(value: unknown): value is JsonRecord {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
