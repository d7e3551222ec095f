/** How this program makes files and names outlive a loss of power. */
import { dirname } from "@std/path";

/** Backing files hold whatever initiators store in them, which is nobody's business on this machine. */
export const FILE_MODE = 0o600;

/** Replaces a file so that at any moment, and after a power failure, either the old or the new one is there. */
export function replaceFile(path: string, text: string): void {
  const newPath = `${path}.new`;
  removeName(newPath);
  {
    // What is made here is new: a link of that name could lead anywhere.
    using file = Deno.openSync(newPath, { write: true, createNew: true, mode: FILE_MODE });
    const bytes = new TextEncoder().encode(text);
    for (let written = 0; written < bytes.length;) written += file.writeSync(bytes.subarray(written));
    file.syncSync();
  }
  Deno.renameSync(newPath, path);
  syncFolder(dirname(path));
}

/** Puts a file or folder that is there on stable storage. */
export async function syncFile(path: string): Promise<void> {
  using file = Deno.openSync(path, { read: true });
  await file.sync();
}

/** Puts the names in a folder on stable storage: a file that is safe under a name that is not, is lost. */
export function syncFolder(path: string): void {
  using folder = Deno.openSync(path, { read: true });
  folder.syncSync();
}

/** Removes a name that an interrupted replacement has left, and nothing that it leads to. */
function removeName(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
