/** Returns the name of this host; undefined where the process may not know it. */
export function hostName(): string | undefined {
  try {
    return Deno.hostname();
  } catch {
    return undefined;
  }
}
