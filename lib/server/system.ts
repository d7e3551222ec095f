import { type InterfaceAddress, interfaceAddresses } from "../access/interfaces.ts";
import { setTimer } from "../base/delay.ts";
import type { Clock } from "../iscsi/clock.ts";

/** The clock and timers of the system. */
export const systemClock: Clock = {
  now: Date.now,
  monotonicMs: performance.now.bind(performance),
  after: setTimer,
};

/** Returns random bytes from the system's cryptographic source. */
export function randomBytes(length: number): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(length));
}

/** Returns the addresses of this server, also those of an interface that is switched off or has no cable. */
export function systemInterfaces(): InterfaceAddress[] {
  return interfaceAddresses(Deno.networkInterfaces());
}
