/** Scenarios of QEMU's own initiator: as the disk of a virtual machine, and by qemu-io and qemu-img. */
import { assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import type { Appliance } from "../end_to_end/appliance.ts";
import type { ServerProcess } from "../support/server_process.ts";
import { runTool, runToolOk, type Tool } from "../support/tools.ts";
import { checkBooted, writeBootable } from "./boot_sector.ts";
import { runMachine } from "./machine.ts";
import { QemuIo } from "./qemu_io.ts";
import type { Context, Scenario } from "./scenario.ts";

const MIB = 1024 ** 2;
const SECRET = "secret-of-virtual-machine";

const CONF = `
networks = 127.0.0.0/8
[disk]
size = 32MB 32MB
[fixed]
size = 16MB
readonly = y
[listed]
size = 16MB
initiators = "iqn.2008-11.org.linux-kvm:Web Server 1"
[chap]
size = 16MB
user = virtual
secret = ${SECRET}
`;

/** Returns the URL of a LUN. */
function url(appliance: Appliance, target: string, lun = 0): string {
  return appliance.lunUrl(lun, `iqn.2002-08.info.netmanager:${target}`);
}

/** Returns the options that give QEMU a LUN, with further ones of its driver. */
export function image(appliance: Appliance, target: string, ...options: readonly string[]): string {
  const { port } = appliance;
  return [
    ...["driver=raw", "file.driver=iscsi", "file.transport=tcp", `file.portal=127.0.0.1:${port}`],
    ...[`file.target=iqn.2002-08.info.netmanager:${target}`, "file.lun=0", ...options],
  ].join(",");
}

/** Boots a machine whose disk is a LUN, and checks that it read and wrote it. */
async function boot(
  appliance: Appliance,
  args: readonly string[],
  text: string,
  file = "disk",
): Promise<void> {
  const path = `${appliance.storage}/${file}`;
  writeBootable(path, text);
  checkBooted(await runMachine(appliance.folder, ["-boot", "c", ...args]), path, text);
}

/** Runs commands of qemu-io, which must succeed, on a disk with these options. */
async function qemuIo(args: readonly string[], commands: readonly string[]): Promise<void> {
  const output = await runToolOk("qemu-io", [...args, ...commands.flatMap((command) => ["-c", command])]);
  if (/verification failed|failed:/i.test(output)) throw new Error(output);
}

function allocatedBytes(path: string): number {
  return Deno.statSync(path).blocks! * 512;
}

/** Returns a scenario of QEMU on a server of its own. */
function qemu(
  name: string,
  proves: string,
  needs: readonly Tool[],
  run: (appliance: Appliance, server: ServerProcess, context: Context) => Promise<void>,
): Scenario {
  return {
    name: `qemu-${name}`,
    proves,
    needs: [...needs, "block-iscsi.so"],
    limitSeconds: 120,
    run: async (context) => {
      const appliance = context.appliance(CONF);
      await run(appliance, await context.serve(appliance), context);
    },
  };
}

/** Names of virtual machines that are no iSCSI names, and as an option of QEMU. */
const NAMES = [["Web Server 1", "Web Server 1"], ["vm(1)", "vm(1)"], ["a,b", "a,,b"]] as const;

/** The scenarios of QEMU. */
export const QEMU: readonly Scenario[] = [
  qemu(
    "names",
    "A virtual machine gets its disk, whatever the machine is called",
    ["qemu-system-x86_64"],
    async (appliance) => {
      const drive = `file=${url(appliance, "disk")},format=raw,if=virtio`;
      for (const [name, option] of NAMES) {
        await boot(appliance, ["-name", option, "-drive", drive], `disk of ${name}`);
      }
    },
  ),
  qemu("listed", "The conf admits a virtual machine by its name with spaces, and no other machine", [
    "qemu-system-x86_64",
  ], async (appliance) => {
    const drive = `file=${url(appliance, "listed")},format=raw,if=virtio`;
    await boot(appliance, ["-name", "Web Server 1", "-drive", drive], "disk of the one", "listed");
    const other = await runMachine(appliance.folder, ["-name", "Web Server 2", "-drive", drive]);
    assertMatch(other.console, /iSCSI: Failed to connect to LUN/);
  }),
  qemu("passthrough", "A virtual machine's own SCSI commands reach the LUN and work", [
    "qemu-system-x86_64",
  ], async (appliance) => {
    await boot(appliance, [
      ...["-device", "virtio-scsi-pci", "-device", "scsi-block,drive=lun"],
      ...["-drive", `file=${url(appliance, "disk")},format=raw,if=none,id=lun`],
    ], "disk without a layer between");
  }),
  qemu("chap", "QEMU proves itself by CHAP and uses a header digest; a wrong secret is refused", [
    "qemu-io",
  ], async (appliance, server) => {
    const options = ["file.user=virtual", "file.password-secret=chap", "file.header-digest=crc32c"];
    const disk = image(appliance, "chap", ...options);
    const args = (secret: string): string[] => [
      ...["--object", `secret,id=chap,data=${secret}`, "--image-opts", disk],
    ];
    await qemuIo(args(SECRET), ["write -P 0x5a 1M 3M", "flush", "read -P 0x5a 1M 3M"]);
    const { code, stderr } = await runTool("qemu-io", [...args("another-secret"), "-c", "read 0 4k"]);
    assertNotEquals(code, 0);
    assertMatch(stderr, /Failed to connect to LUN|Authorization failure|Authentication/i);
    await server.waitForLog('the secret for CHAP name "virtual" is wrong');
  }),
  qemu("readonly", "A write-protected LUN opens to read only, and a writer is refused at once", [
    "qemu-io",
  ], async (appliance) => {
    const disk = url(appliance, "fixed");
    await qemuIo(["-r", "-f", "raw", disk], ["read -P 0 0 1M"]);
    const { code, stdout, stderr } = await runTool("qemu-io", ["-f", "raw", disk, "-c", "write 0 4k"]);
    assertNotEquals(code, 0, stdout);
    assertMatch(stderr, /write protected/i);
  }),
  qemu("discard", "Discarded and zeroed space returns to the file system, and is mapped as a hole", [
    "qemu-io",
    "qemu-img",
  ], async (appliance) => {
    const [disk, path] = [url(appliance, "disk"), `${appliance.storage}/disk`];
    await qemuIo(["-f", "raw", disk], ["write -P 0x77 0 24M", "flush"]);
    const before = allocatedBytes(path);
    await qemuIo(["-d", "unmap", "-f", "raw", disk], [
      ...["discard 8M 8M", "write -z -u 16M 4M", "flush"],
      ...["read -P 0x77 0 8M", "read -P 0 8M 12M", "read -P 0x77 20M 4M"],
    ]);
    assertEquals(before - allocatedBytes(path), 12 * MIB);
    const map = JSON.parse(await runToolOk("qemu-img", ["map", "--output=json", "-f", "raw", disk])) as {
      readonly start: number;
      readonly length: number;
      readonly data: boolean;
    }[];
    assertEquals(
      map.map(({ start, length, data }) => [start / MIB, length / MIB, data]),
      [[0, 8, true], [8, 12, false], [20, 4, true], [24, 8, false]],
    );
  }),
  qemu("copy", "A copy between two LUNs is done by EXTENDED COPY, and is exact", [
    "qemu-io",
    "qemu-img",
  ], async (appliance) => {
    const [source, copy] = [url(appliance, "disk"), url(appliance, "disk", 1)];
    await qemuIo(["-f", "raw", source], ["write -P 0x31 1M 5M", "write -P 0x32 20M 3M", "flush"]);
    const args = ["-T", "iscsi_xcopy", "convert", "-C", "-n", "-f", "raw", "-O", "raw", source, copy];
    const { code, stdout, stderr } = await runTool("qemu-img", args);
    assertEquals(code, 0, stderr);
    assertMatch(stdout + stderr, /iscsi_xcopy/);
    await runToolOk("cmp", [`${appliance.storage}/disk`, `${appliance.storage}/disk_1`]);
  }),
  qemu("grow", "A LUN that grows under an open session can be used to its new end", [
    "qemu-io",
  ], async (appliance) => {
    await using disk = await QemuIo.open(["-f", "raw", url(appliance, "disk")]);
    await disk.run("write -P 0x41 31M 1M");
    appliance.writeConf(CONF.replace("32MB 32MB", "48MB 32MB"));
    assertEquals((await appliance.build()).code, 0);
    await disk.run("truncate 48M");
    for (const command of ["write -P 0x42 47M 1M", "flush", "read -P 0x41 31M 1M", "read -P 0x42 47M 1M"]) {
      await disk.run(command);
    }
  }),
  qemu("reconnect", "An open session outlives the server's kill, and has the flushed data", [
    "qemu-io",
  ], async (appliance, server, context) => {
    await using disk = await QemuIo.open(["-f", "raw", url(appliance, "disk")]);
    await disk.run("write -P 0x51 0 8M");
    await disk.run("flush");
    await server.kill();
    await context.restart(appliance);
    for (const command of ["read -P 0x51 0 8M", "write -P 0x52 8M 1M", "flush", "read -P 0x52 8M 1M"]) {
      await disk.run(command);
    }
  }),
];
