/**
 * A file of the state folder that takes space as long as it is not needed: a server that starts on a full file system
 * makes folders and links for the time that it runs, and they take blocks.
 */
import { reserveFileOf } from "./state_folder.ts";

/** Far more than what a server makes takes: XFS makes nothing unless there is room for all that it might lead to. */
const RESERVE_BYTES = 1024 * 1024;
/** Small, so that as much is taken as there is. */
const PIECE_BYTES = 4096;
const FILE_MODE = 0o600;

/** Gives the space back to the file system, before a server makes what it needs. */
export function releaseSpace(storage: string): void {
  try {
    Deno.removeSync(reserveFileOf(storage));
  } catch {
    // Where there is no such file, or it cannot be removed, there is as much space as there is.
  }
}

/** Takes the space again, or as much as there is. */
export function reserveSpace(storage: string): void {
  try {
    using file = Deno.openSync(reserveFileOf(storage), { write: true, create: true, mode: FILE_MODE });
    if (file.statSync().size >= RESERVE_BYTES) return;
    // Real bytes: of a hole no space is kept.
    const piece = new Uint8Array(PIECE_BYTES).fill("\n".charCodeAt(0));
    for (let offset = 0; offset < RESERVE_BYTES;) {
      file.seekSync(offset, Deno.SeekMode.Start);
      offset += file.writeSync(piece);
    }
    file.syncSync();
  } catch {
    // Nothing but a start on a full file system needs it.
  }
}
