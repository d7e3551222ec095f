import type { InterfaceAddress } from "../access/interfaces.ts";
import { planPortals, type PortalPlan } from "../access/portals.ts";
import { rangeContains } from "../bytes/network.ts";
import type { Config } from "../config/config.ts";

/** The addresses of a moment, as far as they matter to a conf. */
export interface Surroundings {
  readonly plan: PortalPlan;
  readonly interfaces: readonly InterfaceAddress[];
}

/** Returns what of the server's addresses matters to a conf. */
export function surroundingsOf({ targets, port }: Config, all: readonly InterfaceAddress[]): Surroundings {
  const networks = targets.flatMap((target) => target.networks);
  return {
    plan: planPortals({ targets, port, interfaces: all }),
    interfaces: all.filter((address) => networks.some((network) => rangeContains(network, address))),
  };
}

/** Describes the networks that no interface is in, and that were in one before or were not asked for. */
export function describeUnmatched({ unmatched }: PortalPlan, before?: PortalPlan): string[] {
  const known = new Set(before?.unmatched.map((pair) => JSON.stringify(pair)));
  return unmatched.filter((pair) => !known.has(JSON.stringify(pair))).map(({ networkText, targetName }) =>
    `No interface is in network ${networkText} of [${targetName}] now; waiting for one`
  );
}
