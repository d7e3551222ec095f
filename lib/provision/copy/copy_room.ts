import { statfsSync } from "node:fs";

/** The share of a file system that a copy leaves free for the disks on it. */
const FREE_SHARE = 0.01;

/** Returns the bytes that a copy may take on the file system of a path; negative when too little is free already. */
export function roomForCopy(path: string): number {
  const { bavail, blocks, bsize } = statfsSync(path);
  return (bavail - blocks * FREE_SHARE) * bsize;
}
