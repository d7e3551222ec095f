import type { ByteRange } from "../../lib/store/byte_range.ts";
import type { HolePuncher } from "../../lib/store/hole_puncher.ts";

/** Makes holes in a file by the program itself, without a supervisor. */
export function fallocatePuncher(path: string): HolePuncher {
  return {
    async punch(ranges: readonly ByteRange[]): Promise<"punched" | "refused"> {
      for (const { offset, lengthBytes } of ranges) {
        const args = [
          "--punch-hole",
          "--keep-size",
          "--offset",
          `${offset}`,
          "--length",
          `${lengthBytes}`,
          path,
        ];
        const { success } = await new Deno.Command("fallocate", { args, stderr: "null" }).output();
        if (!success) return "refused";
      }
      return "punched";
    },
  };
}
