/** The methods of Deno's open files that stand in for its own while work is recorded. */
import { nextTurn } from "../support/until.ts";
import type { Change } from "./_operation.ts";

/** An open file in a recording. */
export interface OpenFile {
  readonly handle: number;
  position: number;
}

/** The receiver of changes. */
export interface FileRecorder {
  /** The open file that an object of Deno's is; undefined for one elsewhere. */
  find(file: Deno.FsFile): OpenFile | undefined;
  /** Something was done. */
  did(change: Change): void;
  /** Something is being done. */
  doing<T>(change: Change, work: () => Promise<T>): Promise<T>;
}

const PROTOTYPE = Deno.FsFile.prototype;

/** Deno's original methods. */
export const REAL_FILE = {
  read: PROTOTYPE.read,
  readSync: PROTOTYPE.readSync,
  write: PROTOTYPE.write,
  writeSync: PROTOTYPE.writeSync,
  seek: PROTOTYPE.seek,
  seekSync: PROTOTYPE.seekSync,
  sync: PROTOTYPE.sync,
  syncSync: PROTOTYPE.syncSync,
  syncData: PROTOTYPE.syncData,
  syncDataSync: PROTOTYPE.syncDataSync,
  truncate: PROTOTYPE.truncate,
  truncateSync: PROTOTYPE.truncateSync,
} as const;

/** Puts Deno's methods back. */
export function restoreFileMethods(): void {
  Object.assign(PROTOTYPE, REAL_FILE);
}

/** Lets methods that record stand in for Deno's. */
export function replaceFileMethods(recorder: FileRecorder): void {
  Object.assign(PROTOTYPE, movers(recorder), syncers(recorder), resizers(recorder));
}

/** Returns the methods that move an open file's position. */
function movers(recorder: FileRecorder): Partial<typeof REAL_FILE> {
  function moved<T extends number | null>(file: Deno.FsFile, count: T): T {
    const open = recorder.find(file);
    if (open !== undefined) open.position += count ?? 0;
    return count;
  }
  function sought(file: Deno.FsFile, position: number): number {
    const open = recorder.find(file);
    if (open !== undefined) open.position = position;
    return position;
  }
  return {
    async read(this: Deno.FsFile, into): Promise<number | null> {
      return moved(this, await REAL_FILE.read.call(this, into));
    },
    readSync(this: Deno.FsFile, into): number | null {
      return moved(this, REAL_FILE.readSync.call(this, into));
    },
    async write(this: Deno.FsFile, from): Promise<number> {
      const open = recorder.find(this);
      if (open === undefined) return await REAL_FILE.write.call(this, from);
      const { handle, position: offset } = open;
      const change: Change = { kind: "write", handle, offset, bytes: from.slice() };
      return moved(this, await recorder.doing(change, () => REAL_FILE.write.call(this, from)));
    },
    writeSync(this: Deno.FsFile, from): number {
      const count = REAL_FILE.writeSync.call(this, from);
      const open = recorder.find(this);
      if (open !== undefined) {
        const { handle, position: offset } = open;
        recorder.did({ kind: "write", handle, offset, bytes: from.slice(0, count) });
      }
      return moved(this, count);
    },
    async seek(this: Deno.FsFile, offset, whence): Promise<number> {
      return sought(this, await REAL_FILE.seek.call(this, offset, whence));
    },
    seekSync(this: Deno.FsFile, offset, whence): number {
      return sought(this, REAL_FILE.seekSync.call(this, offset, whence));
    },
  };
}

/** Returns the methods that make an open file durable. They are recorded and not done. */
function syncers(recorder: FileRecorder): Partial<typeof REAL_FILE> {
  function syncSync(this: Deno.FsFile): void {
    const open = recorder.find(this);
    if (open !== undefined) recorder.did({ kind: "sync", handle: open.handle });
  }
  async function sync(this: Deno.FsFile): Promise<void> {
    const open = recorder.find(this);
    await (open === undefined ? nextTurn() : recorder.doing({ kind: "sync", handle: open.handle }, nextTurn));
  }
  return { sync, syncData: sync, syncSync, syncDataSync: syncSync };
}

/** Returns the methods that change an open file's size. */
function resizers(recorder: FileRecorder): Partial<typeof REAL_FILE> {
  return {
    async truncate(this: Deno.FsFile, length = 0): Promise<void> {
      const real = (): Promise<void> => REAL_FILE.truncate.call(this, length);
      const open = recorder.find(this);
      if (open === undefined) return await real();
      await recorder.doing({ kind: "resize", handle: open.handle, sizeBytes: length }, real);
    },
    truncateSync(this: Deno.FsFile, length = 0): void {
      REAL_FILE.truncateSync.call(this, length);
      const open = recorder.find(this);
      if (open !== undefined) recorder.did({ kind: "resize", handle: open.handle, sizeBytes: length });
    },
  };
}
