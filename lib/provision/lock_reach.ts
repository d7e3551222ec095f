/**
 * The reach of the locks (flock) of file systems: a storage folder has one server at a time only where the locks of its
 * file system are seen by all machines that have it mounted.
 *
 * | file system                          | reach        | except                               |
 * | ------------------------------------ | ------------ | ------------------------------------ |
 * | ext4, XFS, Btrfs, ZFS, others on     | this machine | none                                 |
 * | disks of this machine, in memory     |              |                                      |
 * | NFSv4; NFSv3 with lockd              | all machines | `nolock`, `local_lock=flock` or `all` |
 * | GFS2, OCFS2                          | all machines | `localflocks`                        |
 * | CephFS (kernel)                      | all machines | none                                 |
 * | Lustre                               | all machines | `localflock`, `noflock`              |
 * | CIFS, 9p, virtiofs, FUSE, any other  | none         | none                                 |
 *
 * NFS maps flock to a byte-range lock of the whole file. CIFS does too, but its locks are mandatory: nothing but the
 * handle that has locked a file can write it. Servers of 9p and virtiofs usually grant every lock. A FUSE file system
 * may keep locks in this machine, and does not show which it does.
 */
import { statfsSync } from "node:fs";
import { describeMissing, runHelper } from "./run_helper.ts";

/** The machines that see a lock: this one, all that have the file system mounted; or `none` where that is unknown. */
export type Reach = "machine" | "machines" | "none";

/** The reach of the locks of a file system. */
export interface LockReach {
  readonly reach: Reach;
  /** The file system and why its locks cannot be trusted, with the remedy; undefined where they can. */
  readonly fault: string | undefined;
}

/** A mounted file system, as `findmnt` lists it. */
export interface Mount {
  readonly type: string;
  readonly source: string;
  readonly options: readonly string[];
}

/** The numbers (`f_type` of statfs) of file systems that no other machine has mounted. */
const LOCAL_NUMBERS: ReadonlySet<number> = new Set([
  0xef53, // ext2, ext3, ext4
  0x58465342, // XFS
  0x9123683e, // Btrfs
  0x2fc12fc1, // ZFS
  0xf2f52010, // F2FS
  0xca451a4e, // bcachefs
  0x3153464a, // JFS
  0x3434, // NILFS
  0x4d44, // FAT
  0x2011bab0, // exFAT
  0x01021994, // tmpfs
  0x858458f6, // ramfs
  0x794c7630, // overlayfs
]);

/** File systems whose locks all machines see, by type, with the options of mounts that end that. */
const SHARED: Readonly<Record<string, readonly string[]>> = {
  nfs: ["nolock", "local_lock=flock", "local_lock=all"],
  nfs4: ["nolock", "local_lock=flock", "local_lock=all"],
  gfs2: ["localflocks"],
  ocfs2: ["localflocks"],
  ceph: [],
  lustre: ["localflock", "noflock"],
};

/** Types without a number above, of file systems that no other machine has mounted. */
const LOCAL_TYPES: readonly string[] = ["zfs", "fuseblk", "ecryptfs"];

const HERE: LockReach = { reach: "machine", fault: undefined };

/** Finds the reach of locks in a folder. */
export function findLockReach(folder: string): LockReach {
  if (LOCAL_NUMBERS.has(statfsSync(folder).type)) return HERE;
  const mount = findMount(folder);
  return typeof mount === "string" ? { reach: "none", fault: mount } : lockReachOf(mount);
}

/** Describes the danger of a file system whose locks cannot be trusted, with the remedy, as a part of a sentence. */
export function describeDistrust(fault: string): string {
  return `a server on another machine may not see its lock, and would write to the same disks (file system ${fault})`;
}

/** Returns the reach of the locks of a mounted file system. */
export function lockReachOf({ type, source, options }: Mount): LockReach {
  const breaking = SHARED[type];
  const broken = breaking?.filter((option) => options.includes(option)) ?? [];
  if (breaking !== undefined && broken.length === 0) return { reach: "machines", fault: undefined };
  const isDisk = source.startsWith("/dev/") && !type.startsWith("fuse");
  if (breaking === undefined && (isDisk || LOCAL_TYPES.includes(type))) return HERE;
  const remedy = broken.length === 0
    ? "use NFSv4, GFS2, OCFS2 or CephFS, or a disk of this machine"
    : `mount it without ${broken.map((option) => `"${option}"`).join(" and ")}`;
  return { reach: "none", fault: `${type}, mounted with "${options.join(",")}"; ${remedy}` };
}

/** Parses the output of `findmnt --raw` with the columns FSTYPE, SOURCE and OPTIONS. */
export function parseMount(line: string): Mount | undefined {
  const [, type, source, options] = /^(\S+) (\S+) (\S+)$/.exec(line.trimEnd()) ?? [];
  if (type === undefined || source === undefined || options === undefined) return undefined;
  return { type, source, options: options.split(",") };
}

/** Returns the mounted file system of a folder, or why it cannot be found. */
function findMount(folder: string): Mount | string {
  const columns = "FSTYPE,SOURCE,OPTIONS";
  const args = ["--noheadings", "--raw", "--first-only", "--output", columns, "--target", folder];
  try {
    const { stdout, stderr } = runHelper("findmnt", args);
    return parseMount(stdout) ?? `unknown: ${stderr === "" ? "findmnt does not list it" : stderr}`;
  } catch {
    return `unknown: ${describeMissing("findmnt")}`;
  }
}
