/** Returns how many handles on a file this process has, also when the file has been removed since. */
export function countHandles(path: string): number {
  return [...Deno.readDirSync("/proc/self/fd")].filter(({ name }) => {
    try {
      return [path, `${path} (deleted)`].includes(Deno.readLinkSync(`/proc/self/fd/${name}`));
    } catch {
      // The handle by which the folder is read is gone by now.
      return false;
    }
  }).length;
}
