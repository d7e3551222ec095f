import { isAbsolute, relative } from "@std/path";

/** Whether an absolute path lies below a folder, to go by their names. */
export function isInside(folder: string, path: string): boolean {
  const way = relative(folder, path);
  return way !== "" && way !== ".." && !way.startsWith("../") && !isAbsolute(way);
}
