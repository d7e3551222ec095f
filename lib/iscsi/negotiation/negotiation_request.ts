/**
 * What the target asks of an initiator over one connection (RFC 7143, 11.9.1, event 4): that it negotiates, by a Text
 * Request which may be empty, or logs out. Who does neither in time may be asked again: it is, once, and is left alone
 * then with what it knows.
 */
import type { Clock } from "../clock.ts";
import { Limits } from "../limits.ts";

/** What an initiator has done that was asked to negotiate. */
export type NegotiationOutcome = "negotiated" | "loggedOut" | "silent";

/** A connection's request for a negotiation. */
export class NegotiationRequest {
  readonly #clock: Clock;
  readonly #ask: () => void;
  #outcome: PromiseWithResolvers<NegotiationOutcome> | undefined;
  #cancelDeadline: () => void = () => {};

  /** @param ask sends the message */
  constructor(clock: Clock, ask: () => void) {
    this.#clock = clock;
    this.#ask = ask;
  }

  /** The initiator has been asked, and is waited for. */
  get isOpen(): boolean {
    return this.#outcome !== undefined;
  }

  /** Asks, unless the initiator is waited for already. */
  begin(): Promise<NegotiationOutcome> {
    if (this.#outcome !== undefined) return this.#outcome.promise;
    const outcome = Promise.withResolvers<NegotiationOutcome>();
    this.#outcome = outcome;
    this.#askUpTo(Limits.negotiationAsks);
    return outcome.promise;
  }

  #askUpTo(times: number): void {
    if (times === 0) return this.end("silent");
    this.#ask();
    this.#cancelDeadline = this.#clock.after(
      Limits.negotiationSeconds * 1000,
      () => this.#askUpTo(times - 1),
    );
  }

  /** The initiator has done something about it, or will not. */
  end(outcome: NegotiationOutcome): void {
    this.#cancelDeadline();
    this.#outcome?.resolve(outcome);
    this.#outcome = undefined;
  }
}
