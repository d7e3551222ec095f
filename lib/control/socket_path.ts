import { basename, dirname, join } from "@std/path";
import { ControlLimits } from "./control_limits.ts";

/**
 * Calls `use` with a path under which the kernel takes the socket at `path`: `path` itself, or where that is too long
 * a way through a link in a scratch folder of this user's, which is gone again when `use` has ended.
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
