/** Two boxes with one storage: on NFS, and on DRBD. The one that serves dies like a machine that loses power. */
import { assertEquals, assertMatch } from "@std/assert";
import { box, BOX_DISK, type BoxOptions, cardOf } from "./box.ts";
import type { LinuxGuest } from "./linux_guest.ts";
import type { Context, Scenario } from "./scenario.ts";

const MB = 1024 ** 2;
const STORAGE = "STORAGE=/mnt/iscsi";
const ADDRESSES = { a: "10.9.0.1", b: "10.9.0.2" } as const;

/** Seconds after which the NFS server takes a client for dead; the least that it can be set to. */
const LEASE_SECONDS = 10;

/** Boots two boxes in a network of their own, each with a disk. */
async function bootPair(
  boot: (options: BoxOptions) => Promise<LinuxGuest>,
  { folder }: Context,
): Promise<Record<keyof typeof ADDRESSES, LinuxGuest>> {
  const bootOne = async (name: "a" | "b", peer: "a" | "b"): Promise<LinuxGuest> => {
    const guest = await boot({ hardware: cardOf(folder, { name, peer }), diskBytes: 96 * MB });
    await guest.run(`hostname ${name}; ip addr add ${ADDRESSES[name]}/24 dev eth1; ip link set eth1 up`);
    return guest;
  };
  const [a, b] = await Promise.all([bootOne("a", "b"), bootOne("b", "a")]);
  return { a, b };
}

/** Provisions a disk, serves it, reserves it and writes to it: the script leaves what was written and its facts. */
const USE = `${STORAGE}
  printf '[disk]\\nsize = 32MB\\n' | write_conf; build; serve
  disk=$(enter disk 127.0.0.1:3260 | tail -n 1)
  sg_persist --no-inquiry --out --register --param-sark=0xabc --param-aptpl $disk
  sg_persist --no-inquiry --out --reserve --param-rk=0xabc --prout-type=1 $disk
  head -c 8M /dev/urandom >/run/data
  dd if=/run/data of=$disk bs=1M oflag=direct conv=fsync status=none`;

/** Serves the disk after a takeover, and prints its facts and the hash of its first 8 MiB. */
const TAKEN_OVER = `disk=$(enter disk 127.0.0.1:3260 | tail -n 1); facts $disk
  dd if=$disk bs=1M count=8 iflag=direct status=none | sha256sum`;

/** The scenarios of this file. */
export const BOX_PAIRS: readonly Scenario[] = [
  box({
    name: "nfs",
    proves: "On NFSv4.2 a second server is refused, and takes over when the host of the first dies",
    limitSeconds: 600,
    async run(boot, context): Promise<void> {
      const { a, b } = await bootPair(boot, context);
      await a.run(`modprobe nfsd; mkfs.ext4 -q ${BOX_DISK}; mkdir -p /srv /proc/fs/nfsd
        mount -t ext4 ${BOX_DISK} /srv; mount -t nfsd nfsd /proc/fs/nfsd
        echo ${LEASE_SECONDS} >/proc/fs/nfsd/nfsv4leasetime; echo ${LEASE_SECONDS} >/proc/fs/nfsd/nfsv4gracetime
        echo '/srv *(rw,no_root_squash,no_subtree_check,fsid=0)' >/etc/exports
        exportfs -ra; rpc.mountd -N 2 -N 3; rpc.nfsd -N 3 -U 4`);
      for (const guest of [a, b]) await guest.run(`mount -t nfs4 -o vers=4.2 ${ADDRESSES.a}:/ /mnt`);
      await b.run(USE);
      const facts = await b.run(`disk=$(find_disk disk 0 127.0.0.1 default); facts $disk
        blkdiscard -o 0 -l ${4 * MB} $disk; is_zero $disk 0 4
        dd if=$disk bs=1M count=8 iflag=direct status=none | sha256sum`);
      // The hole is one in the file system of the NFS server.
      assertEquals(await a.run("sync; du -k /srv/iscsi/disk"), "4096\t/srv/iscsi/disk");
      const refused = await a.attempt(`${STORAGE}; printf '[disk]\\nsize = 32MB\\n' | write_conf
        timeout 60 iscsi serve --conf $CONF`);
      assertEquals(refused.code, 1, refused.output);
      const pid = await b.run("cat /run/server.pid");
      assertMatch(refused.output, new RegExp(`process ${pid} on host "b" serves it already`));
      await b[Symbol.asyncDispose]();
      // The lease of a host that died ends after its time, and the first start after that succeeds.
      await a.run(`attempt() {
          iscsi serve --conf $CONF >/run/server.log 2>&1 &
          echo $! >/run/server.pid
          is_decided() { server_has_ended || iscsi status --conf $CONF --wait 0 2>/dev/null; }
          wait_for 60 is_decided
          ! server_has_ended || { grep -q 'serves it already' /run/server.log || touch /run/broken; }
          ! server_has_ended || [ -e /run/broken ]
        }
        wait_for 120 attempt
        [ ! -e /run/broken ] || { cat /run/server.log; exit 1; }`);
      assertEquals(await a.run(TAKEN_OVER), facts);
    },
  }),
  box({
    name: "drbd",
    proves: "A server on the other half of DRBD has the data, identities and reservations of the first",
    limitSeconds: 600,
    async run(boot, context): Promise<void> {
      const { a, b } = await bootPair(boot, context);
      const node = (name: "a" | "b"): string => `on ${name} { address ${ADDRESSES[name]}:7789; }`;
      for (const guest of [a, b]) {
        await guest.run(`modprobe drbd; mkdir -p /var/lib/drbd /run/drbd
          cat >/etc/drbd.conf <<'END'
            global { usage-count no; }
            resource r0 {
              net { protocol C; }
              device /dev/drbd0; disk ${BOX_DISK}; meta-disk internal;
              ${node("a")} ${node("b")}
            }\nEND
          drbdadm create-md --force r0; drbdadm up r0`);
      }
      await a.run(`is_connected() { [ "$(drbdadm cstate r0)" = Connected ]; }
        wait_for 60 is_connected
        drbdadm -- --clear-bitmap new-current-uuid r0; drbdadm primary r0
        mkfs.ext4 -q /dev/drbd0; mount -t ext4 /dev/drbd0 /mnt`);
      await a.run(USE);
      const facts = await a.run(
        `disk=$(find_disk disk 0 127.0.0.1 default); facts $disk; sha256sum </run/data`,
      );
      await a[Symbol.asyncDispose]();
      await b.run(`${STORAGE}; is_alone() { [ "$(drbdadm cstate r0)" = WFConnection ]; }
        wait_for 60 is_alone
        drbdadm primary r0; mount -t ext4 /dev/drbd0 /mnt
        printf '[disk]\\nsize = 32MB\\n' | write_conf; serve`);
      assertEquals(await b.run(TAKEN_OVER), facts);
    },
  }),
];
