/** Targets that everyone may use: without networks, without initiators and without CHAP. */
import { formatPortal, type Network } from "../bytes/network.ts";
import { type InterfaceAddress, isLocalOnly } from "./interfaces.ts";

/** A target, and everything that can restrict its use. */
export interface OfferedTarget {
  readonly name: string;
  /** Empty: every network. */
  readonly networks: readonly Network[];
  /** Empty: every initiator. */
  readonly initiators: readonly string[];
  /** Undefined without CHAP. */
  readonly chap: unknown;
  /** Undefined when the target is served here. */
  readonly redirect: unknown;
  readonly readOnly: boolean;
  readonly port: number;
}

/** The most targets and the most addresses that the description names. */
const NAMED_TARGETS_MAX = 3;
const NAMED_PORTALS_MAX = 2;

/** Returns the targets that every machine may use that reaches this server. */
export function findOpenTargets<Target extends OfferedTarget>(targets: readonly Target[]): Target[] {
  return targets.filter(({ networks, initiators, chap, redirect }) =>
    redirect === undefined && initiators.length === 0 && chap === undefined &&
    (networks.length === 0 || networks.some(isEverywhere))
  );
}

/** Describes what every machine can do with the open targets of a server; undefined when it has none. */
export function describeOpenAccess(
  { targets }: { readonly targets: readonly OfferedTarget[] },
  interfaces: readonly InterfaceAddress[],
): string | undefined {
  const open = findOpenTargets(targets);
  if (open.length === 0) return undefined;
  const reachable = interfaces.filter((address) => !isLocalOnly(address));
  const portals = open.flatMap(({ networks, port }) =>
    reachable.filter((address) => admitsFamily(networks, address))
      .map(({ address }) => formatPortal(address, port))
  );
  const place = portals.length === 0
    ? `port ${[...new Set(open.map(({ port }) => port))].join(" or ")} of this server`
    : list([...new Set(portals)], NAMED_PORTALS_MAX, "or");
  const deeds = [
    ["read and overwrite", open.filter(({ readOnly }) => !readOnly)],
    ["read", open.filter(({ readOnly }) => readOnly)],
  ] as const;
  const can = deeds.filter(([, targets]) => targets.length > 0).map(([deed, targets]) =>
    `${deed} ${list(targets.map(({ name }) => `[${name}]`), NAMED_TARGETS_MAX, "and")}`
  );
  return `Any machine that reaches ${place} can ${can.join(", and ")}: ` +
    'set "networks" or "initiators", or "user" and "secret"';
}

function isEverywhere({ prefixLength }: Network): boolean {
  return prefixLength === 0;
}

function admitsFamily(networks: readonly Network[], { family }: InterfaceAddress): boolean {
  return networks.length === 0 ||
    networks.some((network) => isEverywhere(network) && network.family === family);
}

/** Lists the first few items, and counts the others. */
function list(items: readonly string[], max: number, conjunction: "and" | "or"): string {
  const shown = items.length > max ? [...items.slice(0, max), `${items.length - max} more`] : items;
  const last = shown.at(-1)!;
  return shown.length === 1 ? last : `${shown.slice(0, -1).join(", ")} ${conjunction} ${last}`;
}
