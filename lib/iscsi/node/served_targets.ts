import type { InterfaceAddress } from "../../access/interfaces.ts";
import { type Decision, mayUse, type Requester } from "../../access/policy.ts";
import type { ChapConfig } from "../../config/chap.ts";
import type { Config, TargetConfig } from "../../config/config.ts";
import { proofOfRefused } from "../login/authentication.ts";
import type { Target } from "../target.ts";
import { RemovedTargets } from "./removed_targets.ts";

/** The targets to serve, and the rules of access to them. */
export interface ServedSettings {
  readonly targets: readonly Target[];
  /** The targets of this server at other ports: discovery lists them, and logins to them are redirected. */
  readonly elsewhere: readonly TargetConfig[];
  readonly interfaces: readonly InterfaceAddress[];
  /** The CHAP settings of discovery sessions, and the weakest algorithm that any CHAP may use. */
  readonly chap: Pick<Config, "chap" | "chapMinimum">;
}

/** A target of this server at another port. */
type Elsewhere = Pick<Target, "config">;

/** The targets that a node serves, and the rules of access to them. A reload replaces both at once. */
export class ServedTargets {
  /** By folded iSCSI name. A target with an alias is listed twice. */
  #byName: ReadonlyMap<string, Target>;
  /** The same for the targets at other ports. */
  #elsewhere: ReadonlyMap<string, Elsewhere>;
  /** Both together. */
  #named: ReadonlyMap<string, Elsewhere>;
  /** The proof to require in a login that will be refused. */
  #proofOfRefused: ChapConfig | undefined;
  #interfaces: readonly InterfaceAddress[];
  #chap: Pick<Config, "chap" | "chapMinimum">;
  readonly #removed = new RemovedTargets();
  /** Targets that are served, or were served and have not drained. */
  readonly #undrained = new Set<Target>();

  constructor({ targets, elsewhere, interfaces, chap }: ServedSettings) {
    this.#byName = byName(targets);
    this.#elsewhere = byName(elsewhere.map((config) => ({ config })));
    this.#named = new Map([...this.#byName, ...this.#elsewhere]);
    this.#interfaces = interfaces;
    this.#chap = chap;
    this.#proofOfRefused = proofOfRefused(chap, this.#knownConfigs());
    for (const target of targets) this.#undrained.add(target);
  }

  /** Replaces the targets and the rules. */
  replace({ targets, elsewhere, interfaces, chap }: ServedSettings): void {
    const before = this.#named;
    this.#byName = byName(targets);
    this.#elsewhere = byName(elsewhere.map((config) => ({ config })));
    this.#named = new Map([...this.#byName, ...this.#elsewhere]);
    this.#removed.replace(before, this.#named);
    this.#interfaces = interfaces;
    this.#chap = chap;
    this.#proofOfRefused = proofOfRefused(chap, this.#knownConfigs());
    for (const target of targets) this.#undrained.add(target);
  }

  /** Returns the target with a folded iSCSI name. */
  get(name: string | undefined): Target | undefined {
    return name === undefined ? undefined : this.#byName.get(name);
  }

  /** Returns the configuration of a target with a folded iSCSI name, at this port or at another one. */
  configOf(name: string): TargetConfig | undefined {
    return this.#named.get(name)?.config;
  }

  /** Returns the configuration of each target of this server, at whatever port, under each of its names. */
  named(): [string, TargetConfig][] {
    return [...this.#named].map(([name, { config }]) => [name, config]);
  }

  /** Returns whether a target is served at another port. */
  isElsewhere({ iscsiName }: TargetConfig): boolean {
    return this.#elsewhere.has(iscsiName);
  }

  /** Returns each target of this port once. */
  all(): Set<Target> {
    return new Set(this.#byName.values());
  }

  /** Returns the last configuration of a target that a reload has removed. */
  removed(name: string): TargetConfig | undefined {
    return this.#removed.get(name);
  }

  /** The proof to require in a login that will be refused, whatever its target. It is computed by each reload. */
  get proofOfRefused(): ChapConfig | undefined {
    return this.#proofOfRefused;
  }

  /** Returns the configurations of the served and of the removed targets. */
  #knownConfigs(): TargetConfig[] {
    return [...this.#named.values().map(({ config }) => config), ...this.#removed];
  }

  /** Returns the targets that are served, or were served and have not drained. */
  get undrained(): ReadonlySet<Target> {
    return this.#undrained;
  }

  /** Forgets a removed target that has no session and no work left. */
  drained(target: Target): void {
    this.#undrained.delete(target);
  }

  get interfaces(): readonly InterfaceAddress[] {
    return this.#interfaces;
  }

  get chap(): Pick<Config, "chap" | "chapMinimum"> {
    return this.#chap;
  }

  /** Returns the CHAP settings of a target, or of discovery sessions when the name is undefined. */
  chapOf(targetName: string | undefined): ChapConfig | undefined {
    return targetName === undefined ? this.#chap.chap : this.get(targetName)!.config.chap;
  }

  /** Decides whether an initiator may use a target. */
  decide(config: TargetConfig, asking: Requester): Decision {
    return mayUse(config, asking, this.#interfaces);
  }
}

/** Returns targets by their names. A target with an alias has two. */
export function byName<Named extends { readonly config: TargetConfig }>(
  targets: readonly Named[],
): ReadonlyMap<string, Named> {
  return new Map(targets.flatMap((target) => {
    const { iscsiName, aliasIscsiName } = target.config;
    const names = aliasIscsiName === undefined ? [iscsiName] : [iscsiName, aliasIscsiName];
    return names.map((name) => [name, target] as const);
  }));
}
