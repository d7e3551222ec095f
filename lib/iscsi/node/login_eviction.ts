/**
 * Who gives way when too many connections have not logged in.
 *
 * A newcomer is always let in. A good initiator is done within milliseconds, and whoever has been there the longest has
 * the least excuse; so that a flood displaces itself, and does not lock anybody out for as long as a login may take.
 */
import { parseNetwork, plainAddress } from "../../bytes/network.ts";
import { Limits } from "../limits.ts";

/** A connection that has not logged in. */
export interface LoginCandidate {
  readonly ends: { readonly peerAddress: string };
  /** It has said who it is, and may log in for all that is known. */
  readonly isIdentified: boolean;
}

/**
 * Whom to close before another connection is taken; undefined when there is room.
 *
 * @param candidates the connections in login, those that have been there the longest first
 */
export function pickVictim<Candidate extends LoginCandidate>(
  candidates: readonly Candidate[],
  peerAddress: string,
): Candidate | undefined {
  const crowds = Map.groupBy(candidates, ({ ends }) => sourceOf(ends.peerAddress));
  const own = crowds.get(sourceOf(peerAddress)) ?? [];
  if (own.length >= Limits.connectionsInLoginPerAddress) return leastExcused(own);
  if (candidates.length < Limits.connectionsInLogin) return undefined;
  return leastExcused(largestCrowd(crowds));
}

/** Of those who come from one source each, the most. */
export function largestCrowd<Member>(crowds: ReadonlyMap<string, readonly Member[]>): readonly Member[] {
  return crowds.values().reduce((one, other) => other.length > one.length ? other : one, []);
}

/** Where a peer comes from: whoever has one IPv6 address has a whole network of them (RFC 4291, 2.5.4: 64 bits). */
export function sourceOf(address: string): string {
  const plain = plainAddress(address);
  return plain.includes(":") ? parseNetwork(`${plain}/64`)!.address : plain;
}

function leastExcused<Candidate extends LoginCandidate>(crowd: readonly Candidate[]): Candidate {
  return crowd.find(({ isIdentified }) => !isIdentified) ?? crowd[0]!;
}
