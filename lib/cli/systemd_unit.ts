import { EXIT_CODES } from "./exit_code.ts";
import { printable } from "./show_text.ts";

/** A block device that a unit must allow. */
export interface UnitDevice {
  readonly path: string;
  readonly readOnly: boolean;
}

/** The properties of a conf, and of the files that it names, that determine its unit. */
export interface UnitNeeds {
  /** Absolute path of this program. */
  readonly program: string;
  /** Absolute path of the conf; undefined for the default. */
  readonly conf: string | undefined;
  /** The storage folder, and the folders of other files that initiators may write. */
  readonly folders: readonly string[];
  readonly devices: readonly UnitDevice[];
  /** The conf names files in home folders, or in the folders of temporary files. */
  readonly usesHome: boolean;
  readonly usesTemporary: boolean;
  /** The networks of all clients, as systemd writes them; undefined when a client may be anywhere. */
  readonly networks: readonly string[] | undefined;
  /** The reason for which a client may be anywhere. */
  readonly openReason: string;
  /** A port below 1024 is listened at. */
  readonly hasLowPort: boolean;
  /** A file or folder belongs to another user than root. */
  readonly hasForeignFiles: boolean;
  readonly unitCount: number;
}

/** The most file descriptors of a logical unit, and those that a unit allows at least. */
const DESCRIPTORS_PER_UNIT = 20;
const DESCRIPTORS_MIN = 65_536;

/** Returns the text of a systemd unit with the rights that the server of a conf needs, and no others. */
export function systemdUnit(needs: UnitNeeds): string {
  const sections = [head(needs), service(needs), confinement(needs), INSTALL];
  return `${sections.map((lines) => lines.join("\n")).join("\n\n")}\n`;
}

const INSTALL = ["[Install]", "WantedBy=multi-user.target"];

function head({ program, conf, folders }: UnitNeeds): string[] {
  const options = conf === undefined ? "" : ` --conf ${printable(conf)}`;
  return [
    "# The rights in this unit are those that the conf needs. When it names other folders, devices,",
    "# networks or ports, make the unit again:",
    `# ${printable(program)} unit${options} >/etc/systemd/system/iscsi.service && systemctl daemon-reload`,
    "",
    "[Unit]",
    "Description=iSCSI target",
    "Documentation=man:iscsi(8) man:iscsi.conf(5)",
    "Wants=network-online.target",
    "After=network-online.target local-fs.target",
    `RequiresMountsFor=${folders.map(word).join(" ")}`,
  ];
}

function service({ program, conf, unitCount }: UnitNeeds): string[] {
  const run = (command: string): string =>
    [word(program), command, ...(conf === undefined ? [] : ["--conf", word(conf.replaceAll("$", "$$$$"))])]
      .join(" ");
  const { wrongUsage, confErrors } = EXIT_CODES;
  return [
    "[Service]",
    "# The service has started when the server is ready. A server that has to wait, for a disk or",
    "# for programs of an earlier one, is not ended for that.",
    "Type=notify",
    "NotifyAccess=all",
    "TimeoutStartSec=infinity",
    `ExecStart=${run("serve --log journal")}`,
    "# Waits for the result; fails when the server keeps its old configuration.",
    `ExecReload=${run("reload")}`,
    "# The server ends within 5 seconds, whatever initiators do.",
    "TimeoutStopSec=10",
    "Restart=on-failure",
    "RestartSec=2",
    "# Wrong usage, and a conf with errors: a restart does not repair them.",
    `RestartPreventExitStatus=${wrongUsage.code} ${confErrors.code}`,
    `LimitNOFILE=${Math.max(DESCRIPTORS_MIN, DESCRIPTORS_PER_UNIT * unitCount + DESCRIPTORS_MIN / 2)}`,
    "UMask=0077",
  ];
}

function confinement(needs: UnitNeeds): string[] {
  return [
    "# Only these may be written. A folder that is missing leaves the error to the server.",
    "ProtectSystem=strict",
    ...needs.folders.map((folder) => `ReadWritePaths=${word(`-${folder}`)}`),
    `ProtectHome=${needs.usesHome ? "read-only" : "yes"}`,
    `PrivateTmp=${needs.usesTemporary ? "no" : "yes"}`,
    ...devices(needs),
    "",
    ...networks(needs),
    "# The list of network interfaces needs AF_NETLINK, the control socket AF_UNIX.",
    "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK",
    "",
    ...capabilities(needs),
    "NoNewPrivileges=yes",
    ...SYSTEM_CALLS,
    ...FIXED_RESTRICTIONS,
  ];
}

function devices({ devices }: UnitNeeds): string[] {
  if (devices.length === 0) return ["PrivateDevices=yes"];
  return [
    "# The server makes nodes of these devices, in its storage folder.",
    "PrivateDevices=no",
    "DevicePolicy=closed",
    ...devices.map(({ path, readOnly }) => `DeviceAllow=${word(path)} ${readOnly ? "rm" : "rwm"}`),
  ];
}

function networks({ networks, openReason }: UnitNeeds): string[] {
  if (networks === undefined) return [`# No IPAddressAllow: ${openReason}.`];
  return [
    "# The networks of the conf.",
    `IPAddressAllow=${networks.join(" ")}`,
    "IPAddressDeny=any",
  ];
}

function capabilities({ devices, hasLowPort, hasForeignFiles }: UnitNeeds): string[] {
  const reasons = [
    ...(hasForeignFiles ? [["CAP_DAC_OVERRIDE CAP_FOWNER", "files of other users"]] : []),
    ...(devices.length > 0 ? [["CAP_MKNOD", "nodes of block devices"]] : []),
    ...(hasLowPort ? [["CAP_NET_BIND_SERVICE", "ports below 1024"]] : []),
  ];
  return [
    reasons.length === 0
      ? "# Root without capabilities: the files belong to root."
      : `# Root, with capabilities for ${reasons.map(([, reason]) => reason).join(" and ")} only.`,
    `CapabilityBoundingSet=${reasons.map(([names]) => names).join(" ")}`,
  ];
}

/** The system calls. V8 protects its code with memory keys, where the processor has them. */
const SYSTEM_CALLS = [
  "SystemCallFilter=@system-service @pkey",
  "SystemCallFilter=~@privileged @resources",
  "SystemCallErrorNumber=EPERM",
  "SystemCallArchitectures=native",
];

/** The restrictions that fit every conf. */
const FIXED_RESTRICTIONS = [
  "# Not MemoryDenyWriteExecute: V8 compiles the program as it runs. Not ProtectProc and",
  "# ProcSubset: the message about a locked file names the process that holds the lock.",
  "KeyringMode=private",
  "LockPersonality=yes",
  "ProtectClock=yes",
  "ProtectControlGroups=yes",
  "ProtectHostname=yes",
  "ProtectKernelLogs=yes",
  "ProtectKernelModules=yes",
  "ProtectKernelTunables=yes",
  "PrivateMounts=yes",
  "RestrictNamespaces=yes",
  "RestrictRealtime=yes",
  "RestrictSUIDSGID=yes",
];

/** Quotes a word of a unit: systemd.syntax(7) and the specifiers of systemd.unit(5). */
function word(text: string): string {
  const escaped = text.replaceAll("%", "%%").replaceAll(/["\\]/g, "\\$&").replaceAll("\n", "\\n");
  return /^[\w%./:@+,=-]+$/.test(escaped) ? escaped : `"${escaped}"`;
}
