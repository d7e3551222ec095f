import { isInside } from "./is_inside.ts";

/** The folders that belong to the operating system or to its packages. No disk belongs there. */
const SYSTEM_FOLDERS = [
  "/bin",
  "/boot",
  "/dev",
  "/etc",
  "/lib",
  "/lib32",
  "/lib64",
  "/libx32",
  "/proc",
  "/sbin",
  "/sys",
  "/usr/bin",
  "/usr/include",
  "/usr/lib",
  "/usr/lib32",
  "/usr/lib64",
  "/usr/libexec",
  "/usr/sbin",
  "/usr/share",
] as const;

/** Returns the folder of the operating system that a real path is or lies in; undefined when there is none. */
export function findSystemFolder(realPath: string): string | undefined {
  return SYSTEM_FOLDERS.find((folder) => realPath === folder || isInside(folder, realPath));
}
