/** The operations on a store and its journal, in order. A test cuts the log short as a loss of power does. */
import type { BlockStore } from "../../lib/store/block_store.ts";
import { FaultyStore } from "../support/faulty_store.ts";

/** The object of an operation. */
export type LogTarget = "store" | "journal" | "folder";

/** One operation: bytes that were written, or that all of them were made durable. */
export interface LoggedOperation {
  readonly target: LogTarget;
  /** Undefined for a sync. */
  readonly written?: { readonly offset: number; readonly bytes: Uint8Array };
}

const SECTOR = 512;

/** A log of operations, each as it was completed. */
export class OperationLog {
  readonly operations: LoggedOperation[] = [];

  /** Returns the names of the operations, as `store write` or `journal sync`. */
  get names(): string[] {
    return this.operations.map(({ target, written }) =>
      `${target} ${written === undefined ? "sync" : "write"}`
    );
  }

  note(target: LogTarget, offset?: number, bytes?: Uint8Array): void {
    this.operations.push(
      offset === undefined ? { target } : { target, written: { offset, bytes: bytes!.slice() } },
    );
  }

  /** Runs a test while all that is done by way of handles is taken for the journal's, or its folder's. */
  async record(work: () => Promise<void>): Promise<void> {
    const { seekSync, write, sync, syncData } = Deno.FsFile.prototype;
    const open = Deno.open;
    const positions = new WeakMap<Deno.FsFile, number>();
    const folders = new WeakSet<Deno.FsFile>();
    const targetOf = (handle: Deno.FsFile): LogTarget => folders.has(handle) ? "folder" : "journal";
    const note = this.note.bind(this);
    Deno.open = async (path, options) => {
      const handle = await open(path, options);
      if (options?.write !== true) folders.add(handle);
      return handle;
    };
    Object.assign(Deno.FsFile.prototype, {
      seekSync(this: Deno.FsFile, offset: number, whence: Deno.SeekMode): number {
        positions.set(this, offset);
        return seekSync.call(this, offset, whence);
      },
      async write(this: Deno.FsFile, bytes: Uint8Array): Promise<number> {
        const count = await write.call(this, bytes);
        note("journal", positions.get(this)!, bytes.subarray(0, count));
        positions.set(this, positions.get(this)! + count);
        return count;
      },
      async sync(this: Deno.FsFile): Promise<void> {
        await sync.call(this);
        note(targetOf(this));
      },
      async syncData(this: Deno.FsFile): Promise<void> {
        await syncData.call(this);
        note(targetOf(this));
      },
    });
    try {
      await work();
    } finally {
      Object.assign(Deno.FsFile.prototype, { seekSync, write, sync, syncData });
      Deno.open = open;
    }
  }

  /**
   * Returns what a target holds after a loss of power that came before the operation with this number. What was synced
   * is there, and of every other sector it is left to chance.
   */
  imageAt(
    cut: number,
    target: LogTarget,
    before: Uint8Array,
    isLucky: () => boolean,
  ): Uint8Array<ArrayBuffer> {
    const image = new Uint8Array(before);
    let pending: { offset: number; bytes: Uint8Array }[] = [];
    for (const operation of this.operations.slice(0, cut)) {
      if (operation.target !== target) continue;
      if (operation.written !== undefined) pending.push(...sectorsOf(operation.written));
      else {
        for (const { offset, bytes } of pending) image.set(bytes, offset);
        pending = [];
      }
    }
    for (const { offset, bytes } of pending) if (isLucky()) image.set(bytes, offset);
    return image;
  }
}

function* sectorsOf(
  { offset, bytes }: { readonly offset: number; readonly bytes: Uint8Array },
): Generator<{ offset: number; bytes: Uint8Array }> {
  for (let start = 0; start < bytes.length;) {
    const end = Math.min(start + SECTOR - (offset + start) % SECTOR, bytes.length);
    yield { offset: offset + start, bytes: bytes.subarray(start, end) };
    start = end;
  }
}

/** A store that logs its writes and flushes, and fails as the test requests. */
export class LoggedStore extends FaultyStore {
  readonly #log: OperationLog;

  constructor(store: BlockStore, log: OperationLog) {
    super(store);
    this.#log = log;
  }

  override async write(offset: number, from: Uint8Array): Promise<void> {
    await super.write(offset, from);
    this.#log.note("store", offset, from);
  }

  override async flush(): Promise<void> {
    await super.flush();
    this.#log.note("store");
  }
}
