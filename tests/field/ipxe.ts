/** Scenarios of iPXE, the initiator of network cards: Debian's ROM in a virtual machine. */
import { assertEquals } from "@std/assert";
import type { Appliance } from "../end_to_end/appliance.ts";
import { checkBooted, writeBootable } from "./boot_sector.ts";
import { type MachineOutput, runMachine } from "./machine.ts";
import type { Context, Scenario } from "./scenario.ts";

const NODE = "iqn.2002-08.info.netmanager";

/** The initiator's name in these scripts; without one, iPXE makes one of the machine's UUID. */
const NAMED = "iqn.2011-07.com.example:netboot";

/** A small disk does not have a cylinder of the geometry that iPXE makes up, and cannot boot. */
const CONF = `
networks = 127.0.0.0/8
[boot]
size = 16MB 16MB
[named]
size = 16MB
initiators = ${NAMED}
[chap]
size = 16MB 16MB
user = netboot
secret = secret-of-netboot
[mutual]
size = 16MB
user = netboot
secret = secret-of-netboot
mutual_user = appliance
mutual_secret = secret-of-appliance
`;

/** Lines of a script that prove the initiator by CHAP. */
const CHAP = ["set username netboot", "set password secret-of-netboot"];

/** Returns a root path as RFC 4173 spells it: the host sees 127.0.0.1 as 10.0.2.2. */
function rootPath(appliance: Appliance, target: string, lun = "0"): string {
  return `iscsi:10.0.2.2::${appliance.port}:${lun}:${NODE}:${target}`;
}

/** Runs a script of iPXE, which a machine gets by TFTP, and returns the output of the machine. */
async function runScript(context: Context, lines: readonly string[]): Promise<MachineOutput> {
  const script = ["#!ipxe", "dhcp net0", ...lines, "reboot", ""].join("\n");
  await Deno.writeTextFile(`${context.folder}/script.ipxe`, script);
  return await runMachine(context.folder, [
    ...["-device", "virtio-net-pci,netdev=net", "-boot", "n"],
    ...["-netdev", `user,id=net,tftp=${context.folder},bootfile=script.ipxe`],
  ]);
}

/** Boots from a LUN and checks that the machine read and wrote it. */
async function boot(
  context: Context,
  appliance: Appliance,
  file: string,
  lines: readonly string[],
): Promise<void> {
  const path = `${appliance.storage}/${file}`;
  const text = `text of ${file}`;
  writeBootable(path, text);
  checkBooted(await runScript(context, lines), path, text);
}

/** Returns a line that hooks a disk, prints what came of it, and goes on. */
function hook(label: string, path: string): string[] {
  return [`sanhook --drive 0x81 ${path} && echo ${label}: hooked || echo ${label}: refused`, UNHOOK];
}
const UNHOOK = "sanunhook --drive 0x81 ||";

/** Runs a script of hooks and compares what came of each, in order. */
async function checkHooks(context: Context, lines: readonly string[], expected: string[]): Promise<string> {
  const { console: output } = await runScript(context, lines);
  const outcomes = [...output.matchAll(/^(\w+: (?:hooked|refused))\r?$/gm)].map(([, outcome]) => outcome);
  assertEquals(outcomes, expected, output);
  return output;
}

/** Returns a scenario of iPXE. */
function ipxe(
  name: string,
  proves: string,
  run: (context: Context, appliance: Appliance) => Promise<void>,
): Scenario {
  return {
    name: `ipxe-${name}`,
    proves,
    needs: ["qemu-system-x86_64", "pxe-virtio.rom"],
    limitSeconds: 120,
    run: async (context) => {
      const appliance = context.appliance(CONF);
      await run(context, appliance);
    },
  };
}

/** The scenarios of iPXE. */
export const IPXE: readonly Scenario[] = [
  ipxe("boot", "A machine boots from LUN 0 through iPXE, reads a block and writes one", async (
    context,
    appliance,
  ) => {
    await context.serve(appliance);
    await boot(context, appliance, "boot", [`sanboot --keep ${rootPath(appliance, "boot")}`]);
  }),
  ipxe("boot-chap", "A machine proves itself by CHAP and boots from LUN 1", async (context, appliance) => {
    const server = await context.serve(appliance);
    const path = rootPath(appliance, "chap", "1");
    await boot(context, appliance, "chap_1", [...CHAP, `sanboot --keep ${path}`]);
    await server.waitForLog('session begins, CHAP name "netboot"');
  }),
  ipxe("boot-hexadecimal", "A root path may name the LUN in hexadecimal, all four levels of it", async (
    context,
    appliance,
  ) => {
    await context.serve(appliance);
    const path = rootPath(appliance, "boot", "0001-0000-0000-0000");
    await boot(context, appliance, "boot_1", [`sanboot --keep ${path}`]);
  }),
  ipxe("mutual", "The target proves itself to iPXE, which refuses one with another secret", async (
    context,
    appliance,
  ) => {
    await context.serve(appliance);
    const path = rootPath(appliance, "mutual");
    const output = await checkHooks(context, [
      ...[...CHAP, "set reverse-username appliance", "set reverse-password another-secret"],
      ...hook("false", path),
      ...["set reverse-password secret-of-appliance", ...hook("true", path)],
    ], ["false: refused", "true: hooked"]);
    // The error of iPXE itself: "Permission denied".
    assertEquals(output.includes("http://ipxe.org/020d623c"), true, output);
  }),
  ipxe(
    "refused",
    "Each refusal is an error of iPXE, which gets in afterwards",
    async (context, appliance) => {
      const server = await context.serve(appliance);
      const output = await checkHooks(context, [
        ...hook("lun", rootPath(appliance, "boot", "7")),
        ...hook("target", rootPath(appliance, "absent")),
        ...hook("silent", rootPath(appliance, "chap")),
        ...[
          "set username netboot",
          "set password not-the-secret",
          ...hook("wrong", rootPath(appliance, "chap")),
        ],
        ...[...CHAP, ...hook("right", rootPath(appliance, "chap"))],
      ], ["lun: refused", "target: refused", "silent: refused", "wrong: refused", "right: hooked"]);
      // The error of iPXE for status 0201: "Operation not permitted".
      assertEquals(output.match(/http:\/\/ipxe\.org\/410d613c/g)?.length, 3, output);
      await server.waitForLog('the secret for CHAP name "netboot" is wrong');
    },
  ),
  ipxe("named", "A machine gets in under the name that its script sets, and under no other", async (
    context,
    appliance,
  ) => {
    const server = await context.serve(appliance);
    const path = rootPath(appliance, "named");
    await checkHooks(context, [
      ...hook("other", path),
      ...[`set initiator-iqn ${NAMED}`, ...hook("named", path)],
    ], ["other: refused", "named: hooked"]);
    await server.waitForLog(`(${NAMED}) at [named]: session ends`);
  }),
  ipxe("redirected", "A login that is sent to another server boots from there", async (
    context,
    appliance,
  ) => {
    const other = context.appliance("networks = 127.0.0.0/8\n[moved]\nsize = 16MB");
    appliance.writeConf(`${CONF}[moved]\nsize = 16MB\nredirect = 10.0.2.2:${other.port}\n`);
    await context.serve(appliance);
    await context.serve(other);
    await boot(context, other, "moved", [`sanboot --keep ${rootPath(appliance, "moved")}`]);
  }),
  ipxe("restart", "A hooked disk outlives the server's kill, and boots afterwards", async (
    context,
    appliance,
  ) => {
    const server = await context.serve(appliance);
    // The session of the second disk begins when the first one is hooked.
    const booted = boot(context, appliance, "boot", [
      `sanhook --drive 0x80 ${rootPath(appliance, "boot")}`,
      ...[...CHAP, `sanhook --drive 0x81 ${rootPath(appliance, "chap")} ||`, UNHOOK],
      ...["sleep 10", "sanboot --keep --drive 0x80"],
    ]);
    booted.catch(() => {});
    await server.waitForLog("at [chap]: session begins", 60_000);
    await server.kill();
    await context.restart(appliance);
    await booted;
  }),
];
