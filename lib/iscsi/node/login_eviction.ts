/**
 * Picks the connection to close when too many connections have not logged in.
 *
 * A new connection is always accepted. Legitimate logins take milliseconds, so the oldest pending one is evicted. A
 * flood of connections thus evicts itself, and locks no initiator out for the duration of a login.
 */
import { parseNetwork, plainAddress } from "../../bytes/network.ts";
import { Limits } from "../limits.ts";

/** A connection that has not logged in. */
export interface LoginCandidate {
  /** True once the initiator has been admitted. */
  readonly isIdentified: boolean;
}

/**
 * Returns the connection to close before another one is accepted, or undefined when there is room.
 *
 * @param candidates the connections in login with their sources, the oldest first
 * @param source the source of the other one
 */
export function pickVictim<Candidate extends LoginCandidate>(
  candidates: ReadonlyMap<Candidate, string>,
  source: string,
): Candidate | undefined {
  const groups = Map.groupBy(candidates.keys(), (candidate) => candidates.get(candidate)!);
  const own = groups.get(source) ?? [];
  if (own.length >= Limits.connectionsInLoginPerAddress) return oldestUnidentified(own);
  if (candidates.size < Limits.connectionsInLogin) return undefined;
  return oldestUnidentified(largestGroup(groups));
}

/** Returns the largest of several groups, each from one source. */
export function largestGroup<Member>(groups: ReadonlyMap<string, readonly Member[]>): readonly Member[] {
  return groups.values().reduce((one, other) => other.length > one.length ? other : one, []);
}

/** Returns the source of a peer: its IPv4 address, or the /64 network of its IPv6 address (RFC 4291, 2.5.4). */
export function sourceOf(address: string): string {
  const plain = plainAddress(address);
  return plain.includes(":") ? parseNetwork(`${plain}/64`)!.address : plain;
}

function oldestUnidentified<Candidate extends LoginCandidate>(group: readonly Candidate[]): Candidate {
  return group.find(({ isIdentified }) => !isIdentified) ?? group[0]!;
}
