import { basename, dirname, join } from "@std/path";
import { ControlLimits } from "./control_limits.ts";

/**
 * Calls `use` with a path that the kernel accepts for the socket at `path`. If `path` is too long, this is a path
 * through a link in a temporary folder, which is removed afterwards.
 */
export async function withSocketPath<T>(path: string, use: (path: string) => Promise<T>): Promise<T> {
  if (new TextEncoder().encode(path).length <= ControlLimits.socketPathBytes) return await use(path);
  const scratch = Deno.makeTempDirSync({ prefix: "iscsi-" });
  try {
    const link = join(scratch, "s");
    Deno.symlinkSync(dirname(path), link);
    return await use(join(link, basename(path)));
  } finally {
    Deno.removeSync(scratch, { recursive: true });
  }
}
