import type { InterfaceAddress } from "../../access/interfaces.ts";
import type { Portal } from "../../access/portals.ts";
import type { Config } from "../../config/config.ts";
import type { BackingOptions } from "./unit_backing.ts";

/** The settings of a target server that can change while it serves. */
export interface TargetServerSettings extends Omit<BackingOptions, "log" | "clock" | "onFault"> {
  /** The whole conf. */
  readonly config: Config;
  /** The port whose targets are served. The others are only listed, and logins to them redirected. */
  readonly port: number;
  readonly interfaces: readonly InterfaceAddress[];
  readonly portals: readonly Portal[];
  /** True if a portal that cannot be listened at is only reported, instead of failing the change. */
  readonly mayMissPortals?: boolean;
  /** Block devices that are open and gone, or others now: they are closed, and opened again where a link leads. */
  readonly lost?: ReadonlySet<string>;
}
