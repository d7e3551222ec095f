/** Linux finds targets, proves itself to them, and chooses digests. */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import type { Scenario } from "./scenario.ts";
import { GUEST, hashOfBacking, linux, NODE, portalOf } from "./linux.ts";

const NETWORKS = "networks = 127.0.0.0/8\n";
const DISK = `${NETWORKS}[disk]\nsize = 8MB\n`;
const USER = "user = guest\nsecret = secret-of-the-guest\n";
const MUTUAL = "mutual_user = target\nmutual_secret = secret-of-the-target\n";

/** Settings of open-iscsi for CHAP, for a node or for discovery. */
function chapOptions(prefix: string, secret = "secret-of-the-guest"): string {
  return `${prefix}.authmethod=CHAP ${prefix}.username=guest ${prefix}.password=${secret}`;
}
const NODE_AUTH = "node.session.auth";
const MUTUAL_OPTIONS = `${NODE_AUTH}.username_in=target ${NODE_AUTH}.password_in=`;

/** The scenarios of this file. */
export const LINUX_LOGIN: readonly Scenario[] = [
  linux({
    name: "login",
    proves: "Linux discovers a target, logs in, and reads and writes both of its LUNs",
    limitSeconds: 600,
    async run(guest, context): Promise<void> {
      const appliance = context.appliance(
        `initiators = ${GUEST}\n${NETWORKS}[disk]\nsize = 16MB 8MB\n[other]\nsize = 8MB\n`,
      );
      await context.serve(appliance);
      const portal = portalOf(appliance);
      const list = await guest.run(`iscsiadm -m discovery -t sendtargets -p ${portal}`);
      assertEquals(list.split("\n").sort(), [`${portal},1 ${NODE}:disk`, `${portal},1 ${NODE}:other`]);
      const first = await guest.run("log_in disk >/dev/null; disk disk 0");
      const second = await guest.run("disk disk 1");
      assertEquals(await guest.run(`cat ${sizeFile(first)} ${sizeFile(second)}`), "32768\n16384");
      assertStringIncludes(await guest.run(`sg_inq ${first}`), "Vendor identification: NETMGR");
      await guest.run(`dd if=/dev/urandom of=${first} bs=1M oflag=direct status=none count=16`);
      await guest.run(
        `pattern second 8388608 | dd of=${second} bs=1M iflag=fullblock oflag=direct status=none`,
      );
      assertEquals(await guest.run(`hash_of ${first}`), await hashOfBacking(appliance, "disk"));
      assertEquals(await guest.run(`hash_of ${second}`), await hashOfBacking(appliance, "disk_1"));
      await guest.run(`leave; wait_for 30 [ ! -e ${first} ]`);
    },
  }),
  linux({
    name: "chap",
    proves: "Linux discovers and logs in with CHAP, and not with a wrong secret",
    limitSeconds: 120,
    mayReport: "conn error",
    async run(guest, context): Promise<void> {
      const appliance = context.appliance(`${USER}${DISK}`);
      await context.serve(appliance);
      const portal = portalOf(appliance);
      const discovery = `iscsiadm -m discoverydb -t sendtargets -p ${portal}`;
      await guest.run(`${discovery} -o new >/dev/null
        for option in ${chapOptions("discovery.sendtargets.auth")}; do
          ${discovery} -o update -n "\${option%%=*}" -v "\${option#*=}"
        done`);
      assertEquals(await guest.run(`${discovery} --discover`), `${portal},1 ${NODE}:disk`);
      await guest.run(`set_options disk ${chapOptions(NODE_AUTH, "a-wrong-secret")}`);
      assertMatch((await guest.attempt("log_in disk")).output, /authori[sz]ation failure/);
      await guest.run(`set_options disk ${chapOptions(NODE_AUTH)}; log_in disk; disk disk`);
    },
  }),
  linux({
    name: "mutual-chap",
    proves: "Linux has the target prove itself, and leaves one that gives a wrong proof",
    limitSeconds: 120,
    mayReport: "conn error",
    async run(guest, context): Promise<void> {
      const appliance = context.appliance(`${DISK}${USER}${MUTUAL}`);
      await context.serve(appliance);
      await guest.run(`iscsiadm -m discovery -t sendtargets -p ${portalOf(appliance)}`);
      await guest.run(`set_options disk ${chapOptions(NODE_AUTH)} ${MUTUAL_OPTIONS}secret-of-another`);
      assertMatch((await guest.attempt("log_in disk")).output, /fail/);
      await guest.run(`set_options disk ${MUTUAL_OPTIONS}secret-of-the-target; log_in disk; disk disk`);
    },
  }),
  linux({
    name: "digests",
    proves: "Linux and the target check CRC32C of headers and data, in every combination",
    limitSeconds: 180,
    async run(guest, context): Promise<void> {
      const appliance = context.appliance(DISK);
      await context.serve(appliance);
      await guest.run(`iscsiadm -m discovery -t sendtargets -p ${portalOf(appliance)}`);
      for (const [header, data] of [["CRC32C", "CRC32C"], ["CRC32C", "None"], ["None", "CRC32C"]] as const) {
        await guest.run(`set_options disk 'node.conn[0].iscsi.HeaderDigest=${header}'
          set_options disk 'node.conn[0].iscsi.DataDigest=${data}'
          log_in disk`);
        const disk = await guest.run("disk disk");
        const used = await guest.run("session_value header_digest; session_value data_digest");
        assertEquals(used, [header, data].map((digest) => digest === "CRC32C" ? "1" : "0").join("\n"));
        await guest.run(`dd if=/dev/urandom of=${disk} bs=1M oflag=direct status=none count=8`);
        assertEquals(await guest.run(`hash_of ${disk}`), await hashOfBacking(appliance, "disk"));
        await guest.run("udevadm settle; iscsiadm -m node --logout");
      }
    },
  }),
];

function sizeFile(disk: string): string {
  return `/sys/block/${disk.replace("/dev/", "")}/size`;
}
