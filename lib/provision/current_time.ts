/** Returns the system's time in ISO 8601. */
export function currentTime(): string {
  return new Date().toISOString();
}
