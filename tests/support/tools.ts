/**
 * Programs that no one here wrote, for tests: running them with a time limit, and saying which are missing.
 */

/** The exit code and the output of a program. */
export interface ToolResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Options for running a program. */
export interface ToolOptions {
  readonly timeLimitMs?: number;
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

const TIME_LIMIT_MS = 60_000;

/** The programs that the end-to-end and field tests need, with their Debian packages. */
const PACKAGES = {
  "iscsi-ls": "libiscsi-bin",
  "iscsi-inq": "libiscsi-bin",
  "iscsi-perf": "libiscsi-bin",
  "iscsi-readcapacity16": "libiscsi-bin",
  "iscsi-swp": "libiscsi-bin",
  "iscsi-test-cu": "libiscsi-bin",
  "qemu-img": "qemu-utils",
  "qemu-io": "qemu-utils",
  "nbdcopy": "libnbd-bin",
  "qemu-storage-daemon": "qemu-system-common",
  "block-iscsi.so": "qemu-block-extra",
  "fallocate": "util-linux",
  "perl": "perl-base",
  "xfs_io": "xfsprogs",
  "strace": "strace",
  "lsattr": "e2fsprogs",
  "mkfs.ext4": "e2fsprogs",
  "e2fsck": "e2fsprogs",
  "filefrag": "e2fsprogs",
  "mkfs.xfs": "xfsprogs",
  "mkfs.btrfs": "btrfs-progs",
  "script": "bsdutils",
  "ip": "iproute2",
  "flock": "util-linux",
  "fsfreeze": "util-linux",
  "lslocks": "util-linux",
  "findmnt": "util-linux",
  "bindfs": "bindfs",
  "tgtd": "tgt",
  "tgtadm": "tgt",
  "groff": "groff-base",
  "systemd-analyze": "systemd",
  "promtool": "prometheus",
  "bash": "bash",
  "fish": "fish",
  "zsh": "zsh",
  "dash": "dash",
  "shellcheck": "shellcheck",
  "ocf-tester": "resource-agents",
  "ocf-shellfuncs": "resource-agents",
  "xmllint": "libxml2-utils",
  "iptables": "iptables",
  "systemd-notify": "systemd",
  "qemu-system-x86_64": "qemu-system-x86",
  "dpkg-deb": "dpkg",
  "apt-get": "apt",
  "pxe-virtio.rom": "ipxe-qemu",
  "nmap": "nmap",
  "tshark": "tshark",
  "corosync": "corosync",
  "pacemakerd": "pacemaker",
  "crm_resource": "pacemaker-cli-utils",
  "portblock": "resource-agents",
  "fuser": "psmisc",
  "unshare": "util-linux",
} as const;

/** A program, or a part of one, that the end-to-end tests need. */
export type Tool = keyof typeof PACKAGES;

/** Returns the folders of programs, of ROMs, and of QEMU's modules on every architecture of Debian. */
function searchFolders(): string[] {
  const triplets = [...Deno.readDirSync("/usr/lib")].map(({ name }) => name).filter((name) =>
    name.includes("-linux-")
  );
  return [
    ...(Deno.env.get("PATH") ?? "").split(":").filter((folder) => folder !== ""),
    "/usr/sbin",
    "/usr/lib/ipxe/qemu",
    "/usr/lib/ocf/lib/heartbeat",
    "/usr/lib/ocf/resource.d/heartbeat",
    ...triplets.map((triplet) => `/usr/lib/${triplet}/qemu`),
  ];
}

function exists(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

/** Returns which tools these folders lack, with the command that installs them; undefined when all are there. */
export function findMissing(tools: readonly Tool[], folders = searchFolders()): string | undefined {
  const missing = tools.filter((tool) => !folders.some((folder) => exists(`${folder}/${tool}`)));
  if (missing.length === 0) return undefined;
  const packages = [...new Set(missing.map((tool) => PACKAGES[tool]))];
  return `${missing.join(", ")} not installed: apt-get install ${packages.join(" ")}`;
}

/**
 * Registers a test that needs tools.
 *
 * Where tools are missing the test is reported as ignored, with the reason in its name; under CI, where everything
 * is installed, it fails.
 */
export function testWithTools(name: string, tools: readonly Tool[], fn: () => void | Promise<void>): void {
  const missing = findMissing(tools);
  if (missing === undefined) return Deno.test(name, fn);
  if (Deno.env.get("CI") === undefined) return Deno.test({ name: `${name} (${missing})`, ignore: true, fn });
  Deno.test(name, () => {
    throw new Error(missing);
  });
}

/**
 * Runs a program to its end.
 *
 * @throws when it does not end in time; it is killed then
 */
export async function runTool(
  program: string,
  args: readonly string[],
  options: ToolOptions = {},
): Promise<ToolResult> {
  const { timeLimitMs = TIME_LIMIT_MS, cwd, env } = options;
  const child = new Deno.Command(program, {
    args: [...args],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    ...(cwd === undefined ? {} : { cwd }),
    env: { NO_COLOR: "1", ...env },
  }).spawn();
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    child.kill("SIGKILL");
  }, timeLimitMs);
  const { code, stdout, stderr } = await child.output().finally(() => clearTimeout(timer));
  const result = { code, stdout: new TextDecoder().decode(stdout), stderr: new TextDecoder().decode(stderr) };
  if (isLate) {
    throw new Error(
      `${program} ${args.join(" ")}: not finished within ${timeLimitMs} ms\n${result.stdout}${result.stderr}`,
    );
  }
  return result;
}

/** Runs a program that must succeed, and returns what it printed on stdout. */
export async function runToolOk(
  program: string,
  args: readonly string[],
  options: ToolOptions = {},
): Promise<string> {
  const { code, stdout, stderr } = await runTool(program, args, options);
  if (code !== 0) throw new Error(`${program} ${args.join(" ")}: exit code ${code}\n${stdout}${stderr}`);
  return stdout;
}
