import { errnoOf, errorMessage } from "../base/error_message.ts";

/** A failure of the disk or of a helper program; the message names the path and the remedy. */
export class ProvisionError extends Error {
  override readonly name = "ProvisionError";
}

/** Remedies for errors of the system, by errno: Deno has no class or code for some of them. */
const REMEDIES: Readonly<Record<number, string>> = {
  1: "run it as root",
  13: "run it as root",
  18: "put it on the file system of the storage folder",
  21: "name a file",
  27: "the file system cannot hold a file this large; lower the size or use another file system, such as XFS",
  28: "free space or inodes (`df -i`) and run it again",
  30: "mount the file system for writing",
  40: "fix the circular symbolic links",
  98: "stop the program that listens there, or set another port",
  122: "raise the quota and run it again",
};

/** The options of `deno task compile` that give a right, by its name. */
const COMPILE_OPTIONS: Readonly<Record<string, string>> = {
  read: "--storage or --conf",
  write: "--storage",
  net: "--listen",
};

/** Returns the message of an error, as text after a colon, with the remedy if one is known. */
export function reasonOf(error: unknown): string {
  const reason = errorMessage(error);
  // Deno requires all rights for the folders /proc, /sys and /dev.
  if (reason.startsWith("Requires all access to ")) {
    return "files in /proc, /sys and /dev belong to the system; choose another path";
  }
  const [, right = "", what] = /^Requires (\w+) access to (.*), (?:run again|specify) /.exec(reason) ?? [];
  if (what !== undefined) {
    const option = COMPILE_OPTIONS[right];
    const remedy = option === undefined ? "" : `; compile it with ${option} for that`;
    return `this program has no ${right} right to ${what}${remedy}`;
  }
  const remedy = REMEDIES[errnoOf(error) ?? 0];
  return remedy === undefined ? reason : `${reason}; ${remedy}`;
}
