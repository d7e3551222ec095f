import type { InterfaceAddress } from "../access/interfaces.ts";
import type { Portal } from "../access/portals.ts";
import type { Config } from "../config/config.ts";
import type { BackingOptions } from "./served_unit.ts";

/** The settings of a target server that can change while it serves. */
export interface TargetServerSettings extends Omit<BackingOptions, "storage" | "log" | "clock"> {
  readonly config: Config;
  readonly interfaces: readonly InterfaceAddress[];
  readonly portals: readonly Portal[];
  /** True if a portal that cannot be listened at is only reported, instead of failing the change. */
  readonly mayMissPortals?: boolean;
}
