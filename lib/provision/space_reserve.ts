/**
 * A file of the state folder that reserves space for the start of a server. Starting makes folders and links, which
 * take blocks, and it must work on a full file system.
 */
import { reserveFileOf } from "./state_folder.ts";

/** Far more than a server needs: XFS requires free space for the worst case of each operation. */
const RESERVE_BYTES = 1024 * 1024;
/** Small, so a nearly full file system is filled to the end. */
const PIECE_BYTES = 4096;
const FILE_MODE = 0o600;

/** Frees the reserved space, before a server makes its folders and links. */
export function releaseSpace(storage: string): void {
  try {
    Deno.removeSync(reserveFileOf(storage));
  } catch {
    // Without the reserve, the start may still succeed.
  }
}

/** Reserves the space again, or as much of it as is free. */
export function reserveSpace(storage: string): void {
  try {
    using file = Deno.openSync(reserveFileOf(storage), { write: true, create: true, mode: FILE_MODE });
    if (file.statSync().size >= RESERVE_BYTES) return;
    // Written bytes, because a hole reserves nothing.
    const piece = new Uint8Array(PIECE_BYTES).fill("\n".charCodeAt(0));
    for (let offset = 0; offset < RESERVE_BYTES;) {
      file.seekSync(offset, Deno.SeekMode.Start);
      offset += file.writeSync(piece);
    }
    file.syncSync();
  } catch {
    // Only a start on a full file system needs the reserve.
  }
}
