/** Finds the parts of a conf for which the process has no right, because it was compiled for another conf. */
import { dirname } from "@std/path";
import type { InterfaceAddress } from "../access/interfaces.ts";
import { planPortals } from "../access/portals.ts";
import { formatPortal } from "../bytes/network.ts";
import type { Config, TargetConfig } from "../config/config.ts";
import type { Diagnostic } from "../config/diagnostic.ts";
import { Diagnostics } from "../config/diagnostics.ts";
import type { OptionName } from "../config/options.ts";
import type { ConfLines } from "../config/parse_config.ts";
import { DEVICES_FOLDER } from "../provision/block_device.ts";
import { isInside } from "../provision/is_inside.ts";
import { HELPER_FOLDERS } from "../provision/run_helper.ts";
import type { HeldRights } from "./held_rights.ts";
import { portalRights } from "./worker_permissions.ts";

/** The rights and the addresses of the server. */
export interface RightsContext {
  readonly rights: HeldRights;
  /** Returns the server's current addresses. */
  readonly interfaces: () => readonly InterfaceAddress[];
}

/** Returns an error for each part of a conf that takes a right which the process does not have. */
export function findMissingRights(config: Config, lines: ConfLines, context: RightsContext): Diagnostic[] {
  const { rights } = context;
  if ((["read", "write", "net"] as const).every((name) => rights.has({ name }))) return [];
  const diagnostics = new Diagnostics(config.file);
  const check = new RightsCheck(lines, context, diagnostics);
  check.storage(config);
  check.metrics(config);
  for (const target of config.targets) {
    check.files(target, config);
    check.portals(target);
  }
  return diagnostics.toArray();
}

/** Compares the parts of a conf with the rights of the process. */
class RightsCheck {
  readonly #lines: ConfLines;
  readonly #context: RightsContext;
  readonly #diagnostics: Diagnostics;
  /** The portals that were reported, which other targets share. */
  readonly #reported = new Set<string>();

  constructor(lines: ConfLines, context: RightsContext, diagnostics: Diagnostics) {
    this.#lines = lines;
    this.#context = context;
    this.#diagnostics = diagnostics;
  }

  storage({ storage }: Config): void {
    if (this.#mayStoreIn(storage)) return;
    this.#error(
      this.#globalLine("storage"),
      `Cannot use storage "${storage}"`,
      "write",
      `--storage ${storage}`,
    );
  }

  metrics({ metrics }: Config): void {
    if (metrics === undefined || this.#mayListenAt(metrics)) return;
    const portal = formatPortal(metrics.address, metrics.port);
    this.#error(
      this.#globalLine("metrics"),
      `Cannot serve metrics at ${portal}`,
      "net",
      `--listen ${portal}`,
    );
  }

  /** Reports the first backing of a target without a right. The storage folder is reported by itself. */
  files({ logicalUnits, line }: TargetConfig, { storage }: Config): void {
    const outside = logicalUnits.find(({ path }) => !isInside(storage, path) && !this.#mayServe(path));
    if (outside === undefined) return;
    const { path } = outside;
    const isDevice = isInside(DEVICES_FOLDER, path);
    this.#error(
      this.#targetLine(line, ["file"]) ?? line,
      `Cannot use ${isDevice ? "block device" : "file"} "${path}"`,
      isDevice ? "run" : "write",
      `--storage ${isDevice ? path : dirname(path)}`,
    );
  }

  /** Reports the portals of a target without a right. */
  portals({ name, networks, port, line }: TargetConfig): void {
    const { portals, wildcard } = planPortals({
      targets: [{ name, networks }],
      port,
      interfaces: networks.length === 0 ? [] : this.#context.interfaces(),
    });
    for (const portal of portals) {
      const text = formatPortal(portal.address, port);
      if (this.#reported.has(text) || this.#mayListenAt(portal)) continue;
      this.#reported.add(text);
      const subject = wildcard
        ? `Cannot listen at every address, port ${port}, for [${name}], which has no "networks"`
        : `Cannot listen at ${text} for [${name}]`;
      const portalLine = this.#targetLine(line, ["port", "networks"]) ??
        this.#globalLine("networks", "port") ?? line;
      this.#error(wildcard ? line : portalLine, subject, "net", `--listen ${text}`);
    }
  }

  #error(line: number | undefined, subject: string, right: string, remedy: string): void {
    this.#diagnostics.error(
      line ?? 1,
      `${subject}: this program was compiled without the ${right} right for it; compile it with ${remedy}`,
    );
  }

  #globalLine(...names: readonly OptionName[]): number | undefined {
    return firstLine(this.#lines.globals, names);
  }

  #targetLine(header: number, names: readonly OptionName[]): number | undefined {
    return firstLine(this.#lines.targets.get(header), names);
  }

  #mayServe(path: string): boolean {
    return isInside(DEVICES_FOLDER, path) ? this.#mayMakeNodes() : this.#mayStoreIn(path);
  }

  #mayStoreIn(path: string): boolean {
    return (["read", "write"] as const).every((name) => this.#context.rights.has({ name, path }));
  }

  #mayMakeNodes(): boolean {
    return HELPER_FOLDERS.some((folder) =>
      this.#context.rights.has({ name: "run", command: `${folder}/mknod` })
    );
  }

  #mayListenAt(portal: { readonly address: string; readonly port: number }): boolean {
    return portalRights(portal).every((host) => this.#context.rights.has({ name: "net", host }));
  }
}

function firstLine(
  lines: ReadonlyMap<OptionName, number> | undefined,
  names: readonly OptionName[],
): number | undefined {
  return names.map((name) => lines?.get(name)).find((line) => line !== undefined);
}
