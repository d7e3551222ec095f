/** Linux uses a disk: file systems, discard, growth, reservations. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import type { Appliance } from "../end_to_end/appliance.ts";
import type { Scenario } from "./scenario.ts";
import {
  allocatedBytes,
  enter,
  firstDifference,
  hashOfBacking,
  linux,
  pattern,
  portalOf,
  readBacking,
} from "./linux.ts";

const MB = 1024 ** 2;
const SECTOR = 512;
const KNOWN_BYTES = 4 * MB;
const DELETED_BYTES = 16 * MB;

/** A line of filefrag: its number, logical and physical sectors, and their count. */
const EXTENT = /^ *\d+: +(\d+)\.\. *\d+: +(\d+)\.\. *\d+: +(\d+):/gm;

/** Returns a conf with one target. */
function conf(size: string): string {
  return `networks = 127.0.0.0/8\n[disk]\nsize = ${size}\n`;
}

/** Returns a scenario with a file system in the guest. */
function fileSystem(kind: string, size: string, make: string, check: string): Scenario {
  return linux({
    name: kind,
    proves: `Linux keeps files on ${kind}, which its checker finds sound, and fstrim returns space`,
    limitSeconds: 420,
    async run(guest, context): Promise<void> {
      const appliance = context.appliance(conf(size));
      const server = await context.serve(appliance);
      const disk = await enter(guest, appliance);
      await guest.run(`${make} ${disk}
        mount -t ${kind} ${disk} /mnt
        for count in 1 2 3 4; do
          mkdir /mnt/$count
          for size in 1 4095 4097 1048577; do head -c $size /dev/urandom >/mnt/$count/$size; done
        done
        pattern known ${KNOWN_BYTES} >/mnt/known
        (cd /mnt && find . -type f -exec sha256sum {} + >/run/sums)
        head -c ${DELETED_BYTES} /dev/urandom >/mnt/deleted
        sync`);
      checkExtents(appliance, await guest.run("filefrag -v -b512 /mnt/known"));
      const before = allocatedBytes(appliance, "disk");
      await guest.run("rm /mnt/deleted; sync; fstrim /mnt");
      const after = allocatedBytes(appliance, "disk");
      assert(
        before - after > DELETED_BYTES * 0.9,
        `the backing file shrank from ${before} to ${after} bytes`,
      );
      await guest.run(`umount /mnt; ${check} ${disk}; leave`);
      await server.stop();
      await context.restart(appliance);
      const again = await enter(guest, appliance);
      await guest.run(`mount -t ${kind} -o ro ${again} /mnt
        (cd /mnt && sha256sum -c /run/sums >/dev/null)
        umount /mnt`);
    },
  });
}

/** Checks that the known file is in the backing file where the extents that filefrag prints, in sectors, say. */
function checkExtents(appliance: Appliance, extents: string): void {
  const expected = pattern("known", KNOWN_BYTES);
  let checked = 0;
  for (const [, logical, physical, length] of extents.matchAll(EXTENT)) {
    const [start, end] = [Number(logical) * SECTOR, (Number(logical) + Number(length)) * SECTOR];
    const found = readBacking(appliance, "disk", Number(physical) * SECTOR, end - start);
    const wanted = expected.subarray(start, end);
    assertEquals(firstDifference(found, wanted), undefined, `the extent at ${logical}`);
    checked += wanted.length;
  }
  assertEquals(checked, KNOWN_BYTES, extents);
}

/** The scenarios of this file. */
export const LINUX_DISK: readonly Scenario[] = [
  fileSystem("ext4", "64MB", "mkfs.ext4 -q -F", "e2fsck -fn"),
  fileSystem("xfs", "320MB", "mkfs.xfs -q -f", "xfs_repair -n"),
  linux({
    name: "write-cache",
    proves: "Linux takes a disk with writecache=n for write-through, and a rescan shows a change",
    limitSeconds: 120,
    async run(guest, context): Promise<void> {
      const appliance = context.appliance(conf("16MB") + "writecache = n\n");
      await context.serve(appliance);
      const disk = await enter(guest, appliance);
      const folder = disk.replace("/dev", "/sys/block");
      const read = async (): Promise<string> => (await guest.run(`cat ${folder}/queue/write_cache`)).trim();
      assertEquals(await read(), "write through");
      appliance.writeConf(conf("16MB"));
      assertEquals((await appliance.build()).code, 0);
      await guest.run(`dd if=${disk} of=/dev/null bs=4k count=1 iflag=direct status=none
        echo 1 >${folder}/device/rescan`);
      assertEquals(await read(), "write back");
    },
  }),
  linux({
    name: "resize",
    proves: "Linux learns the new size of a mounted disk by the unit attention, and uses it",
    limitSeconds: 120,
    async run(guest, context): Promise<void> {
      const appliance = context.appliance(conf("32MB"));
      await context.serve(appliance);
      const disk = await enter(guest, appliance);
      await guest.run(`mkfs.ext4 -q -F ${disk}; mount -t ext4 ${disk} /mnt; echo kept >/mnt/kept`);
      appliance.writeConf(conf("64MB"));
      assertEquals((await appliance.build()).code, 0);
      // Any command gets the unit attention; the rule of udev then has the disk read again.
      await guest.run(`dd if=${disk} of=/dev/null bs=4k count=1 iflag=direct status=none
        has_grown() { [ "$(blockdev --getsize64 ${disk})" = ${64 * MB} ]; }
        wait_for 60 has_grown
        resize2fs ${disk} 2>/dev/null
        head -c ${40 * MB} /dev/zero | tr '\\0' 'a' >/mnt/large
        umount /mnt
        e2fsck -fn ${disk}
        mount -t ext4 -o ro ${disk} /mnt; grep kept /mnt/kept; umount /mnt`);
      assertEquals(await guest.run(`hash_of ${disk}`), await hashOfBacking(appliance, "disk"));
    },
  }),
  linux({
    name: "reservations",
    proves: "A persistent reservation shuts out another initiator, also after a restart of the server",
    limitSeconds: 180,
    mayReport: "conn error|reservation conflict|critical nexus error",
    async run(guest, context): Promise<void> {
      const appliance = context.appliance(conf("16MB"));
      const server = await context.serve(appliance);
      const portal = portalOf(appliance);
      const [anna, ben] = (await guest.run(`for name in anna ben; do
          add_interface $name iqn.2011-07.com.example:$name
          add_record disk ${portal} $name
        done
        log_in disk >/dev/null
        disk disk 0 127.0.0.1 anna
        disk disk 0 127.0.0.1 ben`)).split("\n");
      const write = "dd if=/dev/zero bs=64k count=1 oflag=direct status=none of=";
      const persist = "sg_persist --no-inquiry --out";
      await guest.run(`${persist} --register --param-sark=0xa --param-aptpl ${anna} >/dev/null
        ${write}${anna}; ${write}${ben}
        ${persist} --reserve --param-rk=0xa --prout-type=5 ${anna} >/dev/null
        ${write}${anna}`);
      const shutOut = async (): Promise<void> => {
        assertMatch((await guest.attempt(`${write}${ben}`)).output, /Invalid exchange|Input\/output error/);
      };
      await shutOut();
      await server.kill();
      await context.restart(appliance);
      await guest.run(`wait_for 90 ${write}${anna}; wait_for 90 sg_turs ${ben}`);
      await shutOut();
      const reservation = await guest.run(`sg_persist --no-inquiry --in --read-reservation ${ben}`);
      assertMatch(reservation, /Key ?[=:] ?0xa/);
      await guest.run(`${persist} --clear --param-rk=0xa ${anna} >/dev/null; ${write}${ben}`);
    },
  }),
  linux({
    name: "maintenance",
    proves: "Linux has a disk test itself, formats it with sg_format, and finds it zero",
    limitSeconds: 120,
    async run(guest, context): Promise<void> {
      const appliance = context.appliance(conf("16MB"));
      await context.serve(appliance);
      const disk = await enter(guest, appliance);
      await guest.run(
        `pattern old 16777216 >/run/old; dd if=/run/old of=${disk} bs=64k oflag=direct status=none`,
      );
      assertEquals(readBacking(appliance, "disk", 0, 4), pattern("old", 4));
      await guest.run(`rm /run/old; sg_senddiag --test ${disk}; sg_format --format --quick --wait ${disk}`);
      const content = readBacking(appliance, "disk", 0, 16 * MB);
      assertEquals(firstDifference(content, new Uint8Array(content.length)), undefined);
      await guest.run(`dd if=${disk} bs=64k iflag=direct status=none | cmp -n 16777216 - /dev/zero`);
    },
  }),
];
