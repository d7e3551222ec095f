/** Returns the message of whatever was thrown. */
export function errorMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/**
 * Returns the number that the operating system gave an error; undefined for any other error. Deno has a `code` for some
 * numbers only, but names every one in the message.
 */
export function errnoOf(error: unknown): number | undefined {
  const errno = /\(os error (\d+)\)/.exec(errorMessage(error))?.[1];
  return errno === undefined ? undefined : Number(errno);
}
