/** Returns the current time in ISO 8601. */
export function currentTime(): string {
  return new Date().toISOString();
}
