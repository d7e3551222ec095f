import { type InterfaceAddress, isLocalOnly } from "../access/interfaces.ts";
import { networkPaths } from "../access/target_portals.ts";
import { formatPortal } from "../bytes/network.ts";
import type { ChapConfig } from "../config/chap.ts";
import type { Config, DiskConfig, TargetConfig } from "../config/config.ts";
import { formatInitiatorName } from "../config/iscsi_name.ts";
import { formatRedirection } from "../config/redirection.ts";
import { formatSize, SIZE_OF_DEVICE } from "../config/size.ts";
import { checkFiles } from "../provision/check_files.ts";
import { systemInterfaces } from "../server/system.ts";
import { findDriftWarnings } from "./conf_drift.ts";
import type { Context } from "./context.ts";
import { EXIT_CODES, type ExitCode } from "./exit_code.ts";
import { loadConfig, reportDiagnostics } from "./load_config.ts";
import { findOpenAccess } from "./open_access.ts";
import type { OptionValues } from "./options.ts";
import { LINE_COLUMNS_MAX, wrapWords } from "./wrap_words.ts";

/**
 * `iscsi check`: prints the exports of a conf, and reports files that are not disks. The section JSON of iscsi(8) has
 * the fields of `--json`.
 */
export async function check(context: Context, options: OptionValues): Promise<ExitCode> {
  const loaded = loadConfig(options.conf, context);
  const { config } = loaded;
  if (config === undefined && loaded.exitCode === EXIT_CODES.failed.code) {
    return loaded.exitCode;
  }
  const interfaces = (context.interfaces ?? systemInterfaces)();
  const found = config === undefined
    ? []
    : [...await checkFiles(config), ...findOpenAccess(config, context), ...await findDriftWarnings(config)];
  reportDiagnostics(found, context);
  if (context.json !== undefined) {
    const document = {
      file: options.conf,
      diagnostics: [...loaded.diagnostics, ...found],
      config: config === undefined ? null : toJson(config, interfaces),
    };
    context.json.setDocument(document);
  } else if (config !== undefined) {
    context.stdout.write(describe(config, interfaces));
  }
  if (config === undefined) return loaded.exitCode;
  const hasErrors = found.some(({ severity }) => severity === "error");
  return hasErrors ? EXIT_CODES.failed.code : EXIT_CODES.done.code;
}

function toJson(config: Config, interfaces: readonly InterfaceAddress[]): unknown {
  const { storage, node, port, sessions, connections, pingSeconds, pingTimeoutSeconds } = config;
  const { metrics = null, chapMinimum } = config;
  const limits = { sessions, connections, pingSeconds, pingTimeoutSeconds };
  return {
    storage,
    node,
    port,
    ...limits,
    metrics,
    chapMinimum,
    chap: chapToJson(config.chap),
    targets: config.targets.map((target) => ({
      ...targetToJson(target),
      paths: networkPaths(target, target.port, interfaces),
    })),
  };
}

function chapToJson(chap: ChapConfig | undefined): unknown {
  return chap === undefined
    ? null
    : { names: chap.accounts.size, bound: boundCount(chap), mutual: chap.mutual !== undefined };
}

function targetToJson(target: TargetConfig): Record<string, unknown> {
  const { name, iscsiName, comment, readOnly, initiators } = target;
  return {
    name,
    iscsiName,
    aliasIscsiName: target.aliasIscsiName ?? null,
    comment,
    readOnly,
    networks: target.networks.map((network) => network.text),
    initiators,
    chap: chapToJson(target.chap),
    redirect: target.redirect ?? null,
    disk: diskToJson(target.disk),
    logicalUnits: target.logicalUnits.map(({ number, path, sizeBytes, naa = null }) => ({
      number,
      path,
      sizeBytes,
      naa,
    })),
  };
}

function diskToJson(disk: DiskConfig): unknown {
  const { blockSizeBytes, physicalBlockSizeBytes, removable, writeCache, ...texts } = disk;
  const orNull = Object.entries(texts).map(([name, text]) => [name, text ?? null]);
  return { blockSizeBytes, physicalBlockSizeBytes, removable, writeCache, ...Object.fromEntries(orNull) };
}

function describe(config: Config, interfaces: readonly InterfaceAddress[]): string {
  const { storage, port, sessions, connections, metrics, targets } = config;
  return [
    ...field("Storage", [storage]),
    ...field("Port", [String(port)]),
    ...field("Limits", [`${sessions} sessions, ${connections} connections`]),
    ...field("Ping", [describePing(config)]),
    ...(metrics === undefined ? [] : field("Metrics", [formatPortal(metrics.address, metrics.port)])),
    ...field("Discovery", [describeChap(config.chap)]),
    ...targets.flatMap((target) => describeTarget(target, describePaths(target, interfaces))),
    "",
  ].join("\n");
}

function describePing({ pingSeconds, pingTimeoutSeconds }: Config): string {
  if (pingSeconds === 0) return "never";
  return `after ${pingSeconds} s of silence, ${pingTimeoutSeconds} s for the answer`;
}

function describeTarget(target: TargetConfig, paths: readonly string[]): string[] {
  const sizes = target.logicalUnits.map(({ sizeBytes }) =>
    sizeBytes === SIZE_OF_DEVICE ? "the size of its device" : formatSize(sizeBytes)
  );
  const width = Math.max(...sizes.map((size) => size.length));
  return [
    "",
    ...field("Target", [target.iscsiName]),
    ...(target.aliasIscsiName === undefined ? [] : field("  alias", [target.aliasIscsiName])),
    ...field("  comment", [target.comment]),
    ...field("  access", [target.readOnly ? "read only" : "read and write"]),
    ...field("  disk", [describeDisk(target.disk)]),
    ...field("  networks", listOr(target.networks.map((network) => network.text), "all")),
    ...field("  paths", paths),
    ...field("  initiators", listOr(target.initiators.map(formatInitiatorName), "all")),
    ...field("  login", [describeChap(target.chap)]),
    ...(target.redirect === undefined ? [] : field("  redirect", [formatRedirection(target.redirect)])),
    ...target.logicalUnits.flatMap(({ number, path, naa }, index) =>
      field(`  LUN ${number}`, [
        `${sizes[index]!.padStart(width)}  ${path}`,
        ...(naa === undefined ? [] : [`${" ".repeat(width)}  NAA ${naa}`]),
      ])
    ),
  ];
}

/** Describes the portals that discovery reports, and how there come to be several where only one is reported. */
function describePaths(
  target: TargetConfig,
  interfaces: readonly InterfaceAddress[],
): readonly string[] {
  const paths = networkPaths(target, target.port, interfaces);
  const portals = listOr([...new Set(paths.flatMap(({ portals }) => portals))], "none at present");
  const cards = new Set(interfaces.filter((address) => !isLocalOnly(address)).map(({ name }) => name));
  if (target.networks.length > 0 || cards.size < 2) return portals;
  return [
    'only the address that discovery asks, one of these; to report several as paths, list their networks in "networks"',
    ...portals,
  ];
}

function describeChap(chap: ChapConfig | undefined): string {
  if (chap === undefined) return "without CHAP";
  const { size } = chap.accounts;
  const bound = boundCount(chap);
  return `${chap.mutual === undefined ? "" : "mutual "}CHAP, ${size} ${size === 1 ? "name" : "names"}` +
    (bound === 0 ? "" : `, ${bound} of them bound to initiators`);
}

/** Counts the names that only certain initiators may use. */
function boundCount({ accounts }: ChapConfig): number {
  return [...accounts.values()].filter(({ initiators }) => initiators.length > 0).length;
}

function describeDisk(disk: DiskConfig): string {
  const { blockSizeBytes, physicalBlockSizeBytes, removable, writeCache, ...texts } = disk;
  const named = Object.entries({ ...texts, serialNumber: undefined, serial: texts.serialNumber });
  return [
    `blocks of ${blockSizeBytes} bytes on ${physicalBlockSizeBytes}`,
    ...(removable ? ["removable"] : []),
    ...(writeCache ? [] : ["no write cache"]),
    ...named.flatMap(([name, text]) => text === undefined ? [] : [`${name} "${text}"`]),
  ].join(", ");
}

function listOr(items: readonly string[], whenEmpty: string): readonly string[] {
  return items.length === 0 ? [whenEmpty] : items;
}

const LABEL_COLUMNS = 14;

/** Formats a label and its values, each on a line of its own. */
function field(label: string, values: readonly string[]): string[] {
  const lines = values.flatMap((value) => wrapWords(value, LINE_COLUMNS_MAX - LABEL_COLUMNS));
  return lines.map((line, index) => (index === 0 ? label : "").padEnd(LABEL_COLUMNS) + line);
}
