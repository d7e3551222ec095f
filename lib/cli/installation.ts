/** The files of an installation, and what happens to each. */
import { DEFAULT_CONF_FILE } from "../config/config.ts";
import type { Command } from "./command.ts";
import { COMPLETIONS } from "./completion.ts";
import type { InitSystem } from "./init_system.ts";
import { readShippedFile, type ShippedFile } from "./shipped_files.ts";
import { INSTALLED_PROGRAM } from "./unit.ts";

/** A file to install. */
export interface InstalledFile {
  /** The absolute path on the box. */
  readonly path: string;
  readonly mode: number;
  /** The text; undefined for the program itself. */
  readonly text: string | undefined;
  /** A file that is there is kept: it belongs to the operator. */
  readonly isKept?: true;
  /** A file that is there is replaced only if it is of this program. */
  readonly isShared?: true;
}

const DOCUMENTS = "/usr/local/share/doc/iscsi";
const DOCUMENT_MODE = 0o644;
const PROGRAM_MODE = 0o755;
/** The conf may have secrets. */
const CONF_MODE = 0o600;

/** The folder of Pacemaker's resource agents, which a box without a cluster does not have. */
export const CLUSTER_FOLDER = "/usr/lib/ocf";

/** Every file of this program has the name of its page within; scripts of other programs do not. */
const MARK = "iscsi(8)";

/** The service of each init system, besides the unit of systemd, which depends on the conf. */
const SERVICES: Readonly<Record<InitSystem, { readonly path: string; readonly source?: ShippedFile }>> = {
  systemd: { path: "/etc/systemd/system/iscsi.service" },
  openrc: { path: "/etc/init.d/iscsi", source: "init/openrc" },
  sysv: { path: "/etc/init.d/iscsi", source: "init/sysv" },
};

/** Returns the files of an installation. The unit is undefined where no conf says what it needs. */
export function installedFiles(
  { init, unit, hasCluster, commands }: {
    readonly init: InitSystem | undefined;
    readonly unit: string | undefined;
    /** The box has resource agents. */
    readonly hasCluster: boolean;
    readonly commands: readonly Command[];
  },
): InstalledFile[] {
  const document = (path: string, source: ShippedFile): InstalledFile => {
    return { path, mode: DOCUMENT_MODE, text: readShippedFile(source) };
  };
  const completion = (path: string, shell: keyof typeof COMPLETIONS): InstalledFile => {
    return { path: `/usr/local/share/${path}`, mode: DOCUMENT_MODE, text: COMPLETIONS[shell](commands) };
  };
  return [
    { path: INSTALLED_PROGRAM, mode: PROGRAM_MODE, text: undefined },
    document("/usr/local/share/man/man8/iscsi.8", "iscsi.8"),
    document("/usr/local/share/man/man5/iscsi.conf.5", "iscsi.conf.5"),
    completion("bash-completion/completions/iscsi", "bash"),
    completion("fish/vendor_completions.d/iscsi.fish", "fish"),
    completion("zsh/site-functions/_iscsi", "zsh"),
    document(`${DOCUMENTS}/iscsi.conf.example`, "iscsi.conf.example"),
    document(`${DOCUMENTS}/prometheus.rules.yml`, "prometheus.rules.yml"),
    document(`${DOCUMENTS}/grafana.json`, "grafana.json"),
    { path: DEFAULT_CONF_FILE, mode: CONF_MODE, text: readShippedFile("iscsi.conf.example"), isKept: true },
    script("/usr/libexec/build/iscsi", "libexec/iscsi"),
    ...(hasCluster ? [script(`${CLUSTER_FOLDER}/resource.d/netmanager/iscsi`, "ocf/iscsi")] : []),
    ...serviceFile(init, unit),
  ];
}

/** Returns a script at a path that other programs use as well. */
function script(path: string, source: ShippedFile): InstalledFile {
  return { path, mode: PROGRAM_MODE, text: readShippedFile(source), isShared: true };
}

function serviceFile(init: InitSystem | undefined, unit: string | undefined): InstalledFile[] {
  if (init === undefined) return [];
  const { path, source } = SERVICES[init];
  if (source !== undefined) {
    return [script(path, source)];
  }
  return unit === undefined ? [] : [{ path, mode: DOCUMENT_MODE, text: unit, isShared: true }];
}

/** The fate of a file. */
export type InstallAction = "install" | "replace" | "keep" | "refuse";

/** Decides about a file: `current` is the text that is there, undefined for none. */
export function decideAction(
  { isKept, isShared }: InstalledFile,
  current: { readonly text: string; readonly isSame: boolean } | undefined,
): InstallAction {
  if (current === undefined) return "install";
  if (isKept || current.isSame) return "keep";
  return isShared && !current.text.includes(MARK) ? "refuse" : "replace";
}
