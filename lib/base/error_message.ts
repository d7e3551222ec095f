/** Returns the message of a thrown value. */
export function errorMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/**
 * Returns the errno of an operating system error; undefined for any other error. Deno sets `code` for some numbers
 * only, but the message contains every one.
 */
export function errnoOf(error: unknown): number | undefined {
  const errno = /\(os error (\d+)\)/.exec(errorMessage(error))?.[1];
  return errno === undefined ? undefined : Number(errno);
}
