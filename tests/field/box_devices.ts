/** A box whose LUNs are block devices: thin volumes of LVM, and disks with several paths. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import type { LinuxGuest } from "./linux_guest.ts";
import { box, BOX_DISK, makeDisk } from "./box.ts";
import type { Scenario } from "./scenario.ts";

const MB = 1024 ** 2;
const STORAGE = "STORAGE=/run/storage";

/** Returns the share of a thin volume that takes space in its pool, as LVM prints it. */
async function thinPercent(guest: LinuxGuest): Promise<string> {
  return (await guest.run("sync; lvs --noheadings -o data_percent vg/disk")).trim();
}

/** Returns the hardware of a disk at the end of two paths, which the guest finds by its WWN. */
function twoPaths(file: string): string[] {
  const path = "scsi-hd,bus=scsi.0,drive=shared,share-rw=on,serial=shared,wwn=0x5000c50015ea71ad";
  return [
    ...["-blockdev", JSON.stringify({ driver: "file", "node-name": "shared", filename: file })],
    ...["-device", "virtio-scsi-pci,id=scsi", "-device", path, "-device", path],
  ];
}

/** The scenarios of this file. */
export const BOX_DEVICES: readonly Scenario[] = [
  box({
    name: "thin-lvm",
    proves: "A LUN on a thin volume of LVM returns unmapped and trimmed space to its pool, and grows",
    limitSeconds: 480,
    async run(boot): Promise<void> {
      const guest = await boot({ diskBytes: 256 * MB });
      const disk = await guest.run(`${STORAGE}
        vgcreate -q -y vg ${BOX_DISK}
        lvcreate -q -y -T -L 128M -V 64M -n disk vg/pool
        printf '[disk]\\nfile = /dev/vg/disk\\nsize = device\\n' | write_conf
        build; serve; enter disk 127.0.0.1:3260`).then((output) => output.split("\n").at(-1)!);
      const page = await guest.run(`sg_vpd --page=lbpv ${disk}`);
      for (const line of ["(LBPU): 1", "(LBPWS): 1", "(LBPRZ): 1", "Provisioning type: 2"]) {
        assertStringIncludes(page, line);
      }
      await guest.run(`head -c 32M /dev/urandom >/run/data
        dd if=/run/data of=${disk} bs=1M oflag=direct status=none`);
      assertEquals(await thinPercent(guest), "50.00");
      await guest.run(`blkdiscard -o 0 -l ${16 * MB} ${disk}`);
      assertEquals(await thinPercent(guest), "25.00");
      // Chunks of the pool have 64 KiB: their parts are made zero, and keep their space.
      await guest.run(`blkdiscard -o ${16 * MB + 4096} -l ${8 * MB} ${disk}
        is_zero ${disk} 0 16
        for offset in 16777216 25169920; do
          dd if=/run/data bs=4096 skip=$((offset / 4096)) count=1 status=none >/run/expected
          dd if=${disk} bs=4096 skip=$((offset / 4096)) count=1 iflag=direct status=none | cmp - /run/expected
        done
        dd if=${disk} bs=4096 skip=4097 count=2048 iflag=direct status=none | cmp -n ${8 * MB} - /dev/zero`);
      assert(Number(await thinPercent(guest)) < 13, "unmapped chunks kept their space");
      await guest.run(`dd if=/dev/zero of=${disk} bs=1M count=16 oflag=direct status=none`);
      assert(Number(await thinPercent(guest)) > 37, "zeros that were written take no space");
      await guest.run("iscsi trim --conf $CONF");
      assert(Number(await thinPercent(guest)) < 13, "iscsi trim gave no space back");
      await guest.run(`lvextend -q -L 96M vg/disk >/dev/null
        build
        has_grown() { [ "$(blockdev --getsize64 ${disk})" = ${96 * MB} ]; }
        dd if=${disk} of=/dev/null bs=4k count=1 iflag=direct status=none || true
        wait_for 60 has_grown
        dd if=/run/data of=${disk} bs=1M seek=64 oflag=direct status=none
        leave; stop_server
        dd if=/dev/vg/disk bs=1M skip=64 iflag=direct status=none | cmp - /run/data`);
    },
  }),
  box({
    name: "multipath",
    proves: "A LUN on a multipath device outlives a path, and a second LUN on that path is refused",
    limitSeconds: 480,
    onRequest: "the other boxes take what time CI has for them",
    async run(boot, context): Promise<void> {
      const guest = await boot({ hardware: twoPaths(makeDisk(context.folder, 64 * MB)) });
      const conf = "[disk]\\nfile = /dev/mapper/mpatha\\nsize = 64MB\\n";
      // The initiator in the same guest must not make a map of the LUN.
      const disk = await guest.run(`${STORAGE}
        mkdir -p /etc/multipath/conf.d
        printf 'defaults {\\n user_friendly_names yes\\n}\\nblacklist {\\n device {\\n vendor NETMGR\\n }\\n}\\n' \\
          >/etc/multipath/conf.d/box.conf
        multipathd
        wait_for 60 [ -b /dev/mapper/mpatha ]
        printf '${conf}' | write_conf; build; serve
        enter disk 127.0.0.1:3260`).then((output) => output.split("\n").at(-1)!);
      const refused = await guest.attempt(`${STORAGE}
        printf '${conf}[path]\\nfile = /dev/sda\\nsize = 64MB\\n' | write_conf; build`);
      assertEquals(refused.code, 1, refused.output);
      assertMatch(refused.output, /\/dev\/sda.*mpatha|mpatha.*\/dev\/sda/);
      await guest.run(`printf '${conf}' | ${STORAGE} write_conf; start_writer ${disk} 40; await_writes 20`);
      for (const path of ["sda", "sdb"]) {
        await guest.run(`echo offline >/sys/block/${path}/device/state
          await_writes 20
          has_failed() { multipathd show paths raw format '%d %t' | grep -q '^${path} failed'; }
          wait_for 60 has_failed
          await_writes 20
          echo running >/sys/block/${path}/device/state
          has_returned() { multipathd show paths raw format '%d %t' | grep -q '^${path} active'; }
          wait_for 60 has_returned`);
      }
      const report = await guest.run("await_writes 20; stop_writer");
      assertEquals(await guest.run("write_errors"), "0");
      assert(report !== "", "the writer has written nothing");
      await guest.run(`leave; stop_server; echo '${report}' | check_records /dev/mapper/mpatha`);
    },
  }),
];
