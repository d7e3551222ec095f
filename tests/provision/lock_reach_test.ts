import { assertEquals, assertStringIncludes } from "@std/assert";
import { findLockReach, lockReachOf, type Mount, parseMount } from "../../lib/provision/lock_reach.ts";

/** Lines of `findmnt --noheadings --raw --output FSTYPE,SOURCE,OPTIONS`, as systems print them. */
const LINES = {
  nfs42:
    "nfs4 10.0.0.9:/srv rw,relatime,vers=4.2,rsize=1048576,wsize=1048576,namlen=255,hard,proto=tcp,timeo=600," +
    "retrans=2,sec=sys,clientaddr=10.0.0.2,local_lock=none,addr=10.0.0.9",
  nfs3:
    "nfs 10.0.0.9:/srv rw,relatime,vers=3,rsize=1048576,wsize=1048576,namlen=255,hard,proto=tcp,timeo=600," +
    "retrans=2,sec=sys,mountaddr=10.0.0.9,mountvers=3,mountport=20048,mountproto=udp,local_lock=none,addr=10.0.0.9",
  nfs3posix: "nfs 10.0.0.9:/srv rw,vers=3,hard,local_lock=posix,addr=10.0.0.9",
  nfs3nolock: "nfs 10.0.0.9:/srv rw,relatime,vers=3,hard,nolock,proto=tcp,local_lock=all,addr=10.0.0.9",
  nfs3flock: "nfs 10.0.0.9:/srv rw,relatime,vers=3,hard,proto=tcp,local_lock=flock,addr=10.0.0.9",
  gfs2: "gfs2 /dev/mapper/vg-shared rw,relatime,rgrplvb",
  gfs2local: "gfs2 /dev/mapper/vg-shared rw,relatime,localflocks",
  ocfs2:
    "ocfs2 /dev/drbd0 rw,relatime,_netdev,heartbeat=local,nointr,data=ordered,errors=remount-ro,atime_quantum=60," +
    "coherency=full,user_xattr,acl",
  ocfs2local: "ocfs2 /dev/drbd0 rw,relatime,heartbeat=local,localflocks",
  ceph: "ceph 10.0.0.1:6789,10.0.0.2:6789:/ rw,relatime,name=admin,secret=<hidden>,acl",
  lustre: "lustre 10.0.0.1@tcp:/l rw,flock,user_xattr,lazystatfs",
  lustreLocal: "lustre 10.0.0.1@tcp:/l rw,localflock,lazystatfs",
  cifs: "cifs //10.0.0.9/srv rw,relatime,vers=3.1.1,cache=strict,username=u,uid=0,noforceuid,nobrl,serverino",
  smb3: "smb3 //10.0.0.9/srv rw,relatime,vers=3.1.1,cache=strict,username=u",
  p9: "9p host rw,sync,dirsync,relatime,access=client,trans=virtio",
  virtiofs: "virtiofs myfs rw,relatime",
  sshfs: "fuse.sshfs root@b:/srv rw,nosuid,nodev,relatime,user_id=0,group_id=0",
  gluster:
    "fuse.glusterfs b:/v rw,relatime,user_id=0,group_id=0,default_permissions,allow_other,max_read=131072",
  fuse: "fuse /dev/fuse rw,nosuid,nodev,relatime,user_id=0,group_id=0",
  ntfs3g: "fuseblk /dev/sda1 rw,relatime,user_id=0,group_id=0,allow_other,blksize=4096",
  reiserfs: "reiserfs /dev/sdb1 rw,relatime",
  zfs: "zfs tank/iscsi rw,relatime,xattr,noacl",
  unknown: "newfs server:/x rw",
} as const;

function mountOf(name: keyof typeof LINES): Mount {
  return parseMount(`${LINES[name]}\n`)!;
}

Deno.test("lockReachOf() knows which file systems share locks, and which mounts end that", () => {
  const reaches = Object.fromEntries(
    (Object.keys(LINES) as (keyof typeof LINES)[]).map((name) => [name, lockReachOf(mountOf(name)).reach]),
  );
  assertEquals(reaches, {
    nfs42: "machines",
    nfs3: "machines",
    nfs3posix: "machines",
    nfs3nolock: "none",
    nfs3flock: "none",
    gfs2: "machines",
    gfs2local: "none",
    ocfs2: "machines",
    ocfs2local: "none",
    ceph: "machines",
    lustre: "machines",
    lustreLocal: "none",
    cifs: "none",
    smb3: "none",
    p9: "none",
    virtiofs: "none",
    sshfs: "none",
    gluster: "none",
    fuse: "none",
    ntfs3g: "machine",
    reiserfs: "machine",
    zfs: "machine",
    unknown: "none",
  });
});

Deno.test("lockReachOf() names the file system, its options and the remedy, only where locks cannot be trusted", () => {
  assertEquals(
    lockReachOf(mountOf("nfs3nolock")).fault,
    'nfs, mounted with "rw,relatime,vers=3,hard,nolock,proto=tcp,local_lock=all,addr=10.0.0.9"; mount it without ' +
      '"nolock" and "local_lock=all"',
  );
  assertEquals(
    lockReachOf(mountOf("virtiofs")).fault,
    'virtiofs, mounted with "rw,relatime"; use NFSv4, GFS2, OCFS2 or CephFS, or a disk of this machine',
  );
  assertEquals(lockReachOf(mountOf("nfs42")).fault, undefined);
  assertEquals(lockReachOf(mountOf("zfs")).fault, undefined);
});

Deno.test("parseMount() refuses what is no line of findmnt", () => {
  for (const text of ["", "nfs4", "nfs4 a", "a b c d"]) assertEquals(parseMount(text), undefined);
  assertEquals(parseMount("fuse a\\x20b rw\n"), { type: "fuse", source: "a\\x20b", options: ["rw"] });
});

Deno.test("findLockReach() trusts locks in the memory and on the disks of this machine", () => {
  for (const folder of ["/dev/shm", import.meta.dirname!]) {
    const { reach, fault } = findLockReach(folder);
    assertEquals([reach, fault], ["machine", undefined], folder);
  }
});

Deno.test("findLockReach() trusts no locks of a file system that it cannot find", () => {
  const { Command } = Deno;
  Deno.Command = class {
    constructor() {
      throw new Deno.errors.NotFound();
    }
  } as unknown as typeof Deno.Command;
  try {
    // proc has no number of a file system of disks.
    const { reach, fault = "" } = findLockReach("/proc");
    assertEquals(reach, "none");
    assertStringIncludes(fault, 'unknown: Cannot run "findmnt": is it installed (package util-linux)?');
  } finally {
    Deno.Command = Command;
  }
});
