/** The bytes to hash: enough that the hash takes longer than the event loop takes to become idle, about 20 us. */
const BYTES = new Uint8Array(16_384);

/**
 * Resolves when every socket with pending events has been served by the event loop.
 *
 * The loop polls sockets only when it has nothing else to run. A promise, a message or `setImmediate` does not make it
 * poll, and the shortest timer takes 2 ms. Work on another thread does, unless it is done before the loop becomes idle.
 * Hashing a few bytes is the cheapest such work that needs no permission.
 */
export async function yieldToSockets(): Promise<void> {
  await crypto.subtle.digest("SHA-1", BYTES);
}
