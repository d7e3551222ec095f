import { dirname } from "@std/path";
import { isInside } from "./is_inside.ts";

/** The table of the file systems that are mounted at the start of the system. */
const FSTAB = "/etc/fstab";

/** Options of mounts whose state the numbers of devices do not show. */
const NOT_COMPARABLE = /(^|,)(r?bind|(x-systemd\.)?automount|noauto)(,|$)/;

/** Returns the mount points in the text of fstab(5) that should be mounted now. */
export function parseFstab(text: string): string[] {
  return text.split("\n").flatMap((line) => {
    const [source = "", folder = "", , options = ""] = line.trim().split(/\s+/);
    if (source.startsWith("#") || !folder.startsWith("/") || folder === "/") return [];
    return NOT_COMPARABLE.test(options) ? [] : [unescape(folder)];
  });
}

/** Returns the mount points that contain one of the paths, and at which nothing is mounted. */
export function findUnmounted(paths: readonly string[]): string[] {
  return readMountPoints().filter((folder) =>
    paths.some((path) => path === folder || isInside(folder, path)) && !isMounted(folder)
  );
}

function readMountPoints(): string[] {
  try {
    return parseFstab(Deno.readTextFileSync(FSTAB));
  } catch {
    return [];
  }
}

/** Reports whether a folder is on another device than its parent; true when that is unknown. */
function isMounted(folder: string): boolean {
  try {
    return Deno.statSync(folder).dev !== Deno.statSync(dirname(folder)).dev;
  } catch (error) {
    return !(error instanceof Deno.errors.NotFound);
  }
}

/** Decodes the escapes of fstab(5): `\040` is a space. */
function unescape(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_, digits) => String.fromCharCode(Number.parseInt(digits, 8)));
}
