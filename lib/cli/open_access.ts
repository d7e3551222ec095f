import { describeOpenAccess, findOpenTargets } from "../access/open_access.ts";
import type { Config } from "../config/config.ts";
import type { Diagnostic } from "../config/diagnostic.ts";
import { systemInterfaces } from "../server/system.ts";
import type { Context } from "./context.ts";

/** Warns of the targets of a conf that every machine may use: one warning for all, at the first. */
export function findOpenAccess(config: Config, { interfaces = systemInterfaces }: Context): Diagnostic[] {
  const message = describeOpenAccess(config, interfaces());
  const line = findOpenTargets(config.targets)[0]?.line;
  if (message === undefined || line === undefined) return [];
  return [{ severity: "warning", file: config.file, line, message }];
}
