import { assertEquals } from "@std/assert";
import { findUnmounted, parseFstab } from "../../lib/provision/fstab.ts";
import { withScratch } from "./scratch.ts";

/** Runs a test while /etc/fstab has this text. */
function withFstab(text: string, test: () => void): void {
  const original = Deno.readTextFileSync;
  Deno.readTextFileSync = (path) => path === "/etc/fstab" ? text : original(path);
  try {
    test();
  } finally {
    Deno.readTextFileSync = original;
  }
}

Deno.test("parseFstab() returns the mount points that are mounted at the start", () => {
  assertEquals(
    parseFstab(`# /dev/sda9 /commented ext4
UUID=1 / ext4 defaults 0 1
/dev/sdb1\t/data   xfs  defaults,nofail 0 2
/dev/sdc1 /my\\040disk ext4 rw
nas:/x /nas nfs x-systemd.automount,rw
/data/a /bound none bind
/dev/sr0 /cdrom iso9660 ro,noauto
/dev/sda2 none swap sw 0 0

/dev/sdd1 /short`),
    ["/data", "/my disk", "/short"],
  );
});

Deno.test("findUnmounted() returns mount points above the paths that are on the device of their parent", () =>
  withScratch((folder) => {
    Deno.mkdirSync(`${folder}/unmounted`);
    const text = `/dev/x ${folder}/unmounted ext4 rw\n/dev/y ${folder}/missing ext4 rw\nproc /proc proc rw\n`;
    withFstab(text, () => {
      assertEquals(findUnmounted([`${folder}/unmounted/s`]), [`${folder}/unmounted`]);
      assertEquals(findUnmounted([`${folder}/unmounted`, `${folder}/missing/s/a`]), [
        `${folder}/unmounted`,
        `${folder}/missing`,
      ]);
      assertEquals(findUnmounted([`${folder}/other`, "/proc/a"]), []);
    });
  }));
