import { type Network, networkContains, plainAddress } from "../bytes/network.ts";
import { type InterfaceAddress, peerNetwork } from "./interfaces.ts";

/** Who may use a target from where. */
export interface GuardedTarget {
  readonly name: string;
  /** Empty: every network. */
  readonly networks: readonly Network[];
  /** Folded iSCSI names. Empty: every initiator. */
  readonly initiators: readonly string[];
}

/** Who asks, and over which connection. */
export interface Petitioner {
  /** Folded iSCSI name. */
  readonly initiatorName: string;
  /** Our end of the connection, as the socket reports it. */
  readonly localAddress: string;
  /** The initiator's end of the connection, as the socket reports it. */
  readonly peerAddress: string;
}

/** Yes, or the rule that refused, in words for our log only: from outside all refusals look the same. */
export type Decision = { readonly allowed: true } | ({ readonly allowed: false } & Refusal);

/** Why not: the option that refuses, and what exactly it says. */
export interface Refusal {
  readonly option: "networks" | "initiators";
  readonly rule: string;
}

/**
 * Decides whether an initiator may use a target, which includes knowing that it exists: both ends of the connection
 * must lie in one of the target's networks, and its list of initiators, if it has one, must name the initiator.
 */
export function mayUse(
  target: GuardedTarget,
  petitioner: Petitioner,
  interfaces: readonly InterfaceAddress[],
): Decision {
  const networks = networksRule(target, petitioner, interfaces);
  if (networks !== undefined) return { allowed: false, option: "networks", rule: networks };
  const initiators = initiatorsRule(target, petitioner);
  if (initiators !== undefined) return { allowed: false, option: "initiators", rule: initiators };
  return { allowed: true };
}

/** The rule of `networks` that refuses; undefined when none does. */
function networksRule(
  { name, networks }: GuardedTarget,
  { localAddress, peerAddress }: Petitioner,
  interfaces: readonly InterfaceAddress[],
): string | undefined {
  if (networks.length === 0) return undefined;
  const checks = networks.map((network) => {
    const source = peerNetwork(network, interfaces);
    const hasLocal = networkContains(network, localAddress);
    const hasPeer = source !== undefined && networkContains(source, peerAddress);
    return { hasLocal, hasPeer };
  });
  if (checks.some(({ hasLocal, hasPeer }) => hasLocal && hasPeer)) return undefined;
  const option = `networks of [${name}] (${networks.map(({ text }) => text).join(" ")})`;
  const local = `local address ${plainAddress(localAddress)}`;
  const peer = `peer ${plainAddress(peerAddress)}`;
  if (!checks.some(({ hasLocal }) => hasLocal)) return `${option} do not contain ${local}`;
  if (!checks.some(({ hasPeer }) => hasPeer)) return `${option} do not contain ${peer}`;
  return `${option} do not contain ${local} and ${peer} in one network`;
}

/** The rule of `initiators` that refuses; undefined when none does. */
function initiatorsRule(
  { name, initiators }: GuardedTarget,
  { initiatorName }: Petitioner,
): string | undefined {
  if (initiators.length === 0 || initiators.includes(initiatorName)) return undefined;
  return `initiators of [${name}] does not list ${JSON.stringify(initiatorName)}`;
}
