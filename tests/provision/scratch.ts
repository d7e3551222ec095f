import { join } from "@std/path";

/** Runs `test` with a new folder, by its real path, and removes it afterwards. */
export async function withScratch(test: (folder: string) => Promise<void> | void): Promise<void> {
  const folder = Deno.realPathSync(Deno.makeTempDirSync({ prefix: "iscsi-" }));
  try {
    await test(folder);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

/**
 * Everything below a folder, by relative path: what can be compared before and after. Lock files mean nothing, and the
 * mark of the last build names inodes.
 */
export function snapshot(folder: string, path = ""): Record<string, string> {
  const result: Record<string, string> = {};
  for (const { name } of [...Deno.readDirSync(join(folder, path))].sort((a, b) => a.name < b.name ? -1 : 1)) {
    const child = join(path, name);
    const { isDirectory, isFile, mode, size } = Deno.lstatSync(join(folder, child));
    const permissions = (mode! & 0o777).toString(8);
    if (isDirectory) {
      result[child] = `folder ${permissions}`;
      Object.assign(result, snapshot(folder, child));
    } else if (!isFile) {
      result[child] = "other";
    } else if (name.endsWith(".json")) {
      result[child] = `file ${permissions} ${Deno.readTextFileSync(join(folder, child))}`;
    } else if (!name.endsWith(".lock") && name !== "built") {
      result[child] = `file ${permissions} ${size}`;
    }
  }
  return result;
}

/** Writes `text` at an offset of a file, and nothing else. */
export function writeAt(path: string, offset: number, text: string): void {
  using file = Deno.openSync(path, { write: true });
  file.seekSync(offset, Deno.SeekMode.Start);
  file.writeSync(new TextEncoder().encode(text));
}

/** Reads `length` bytes at an offset of a file, as text. */
export function readAt(path: string, offset: number, length: number): string {
  using file = Deno.openSync(path, { read: true });
  file.seekSync(offset, Deno.SeekMode.Start);
  const bytes = new Uint8Array(length);
  file.readSync(bytes);
  return new TextDecoder().decode(bytes);
}
