import { isAbsolute, relative } from "@std/path";

/** Reports whether an absolute path lies below a folder, without resolving links. */
export function isInside(folder: string, path: string): boolean {
  const way = relative(folder, path);
  return way !== "" && way !== ".." && !way.startsWith("../") && !isAbsolute(way);
}
