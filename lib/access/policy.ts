import { quoteWord } from "../base/quoted_words.ts";
import { type Address, type Network, parseAddress, rangeContains } from "../bytes/network.ts";
import { type InterfaceAddress, peerRange } from "./interfaces.ts";

/** The access rules of a target. */
export interface GuardedTarget {
  readonly name: string;
  /** Empty: every network. */
  readonly networks: readonly Network[];
  /** Folded iSCSI names. Empty: every initiator. */
  readonly initiators: readonly string[];
}

/** An initiator that requests access, and the addresses of its connection. */
export interface Requester {
  /** Folded iSCSI name. */
  readonly initiatorName: string;
  /** The server's end of the connection. */
  readonly local: Address;
  /** The initiator's end of the connection. */
  readonly peer: Address;
}

/**
 * Makes a requester from the addresses that a socket reports. They are parsed once, however many targets are checked.
 *
 * @throws {TypeError} when one of them is not an address
 */
export function requester(
  initiatorName: string,
  { localAddress, peerAddress }: { readonly localAddress: string; readonly peerAddress: string },
): Requester {
  return { initiatorName, local: readAddress(localAddress), peer: readAddress(peerAddress) };
}

function readAddress(text: string): Address {
  const address = parseAddress(text);
  if (address === undefined) throw new TypeError(`Cannot read "${text}" as an address`);
  return address;
}

/** A grant or a refusal. The rule of a refusal is only for the log: to an initiator all refusals look the same. */
export type Decision = { readonly allowed: true } | ({ readonly allowed: false } & Refusal);

/** The option that refuses access, and the rule in words. */
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
  requester: Requester,
  interfaces: readonly InterfaceAddress[],
): Decision {
  const networks = networksRule(target, requester, interfaces);
  if (networks !== undefined) return { allowed: false, option: "networks", rule: networks };
  const initiators = initiatorsRule(target, requester);
  if (initiators !== undefined) return { allowed: false, option: "initiators", rule: initiators };
  return { allowed: true };
}

/** Returns the rule of `networks` that refuses access; undefined when none does. */
function networksRule(
  { name, networks }: GuardedTarget,
  requester: Requester,
  interfaces: readonly InterfaceAddress[],
): string | undefined {
  if (networks.length === 0) return undefined;
  const checks = networks.map((network) => {
    const source = peerRange(network, interfaces);
    const hasLocal = rangeContains(network, requester.local);
    const hasPeer = source !== undefined && rangeContains(source, requester.peer);
    return { hasLocal, hasPeer };
  });
  if (checks.some(({ hasLocal, hasPeer }) => hasLocal && hasPeer)) return undefined;
  const option = `networks of [${name}] (${networks.map(({ text }) => text).join(" ")})`;
  const local = `local address ${requester.local.address}`;
  const peer = `peer ${requester.peer.address}`;
  if (!checks.some(({ hasLocal }) => hasLocal)) return `${option} do not contain ${local}`;
  if (!checks.some(({ hasPeer }) => hasPeer)) return `${option} do not contain ${peer}`;
  return `${option} do not contain ${local} and ${peer} in one network`;
}

/** Returns the rule of `initiators` that refuses access; undefined when none does. */
function initiatorsRule(
  { name, initiators }: GuardedTarget,
  { initiatorName }: Requester,
): string | undefined {
  if (initiators.length === 0 || initiators.includes(initiatorName)) return undefined;
  return `initiators of [${name}] does not list ${quoteWord(initiatorName)}`;
}
