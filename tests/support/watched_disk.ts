import { dirname } from "@std/path";

/** Records which files and folders are synchronized after they were opened for a change. */
export class WatchedDisk {
  readonly #open = Deno.openSync;
  readonly #openLater = Deno.open;
  readonly #sync = Deno.FsFile.prototype.sync;
  readonly #syncSync = Deno.FsFile.prototype.syncSync;
  readonly #paths = new WeakMap<Deno.FsFile, string>();
  readonly #syncs = new Map<string, number>();
  readonly #unsafe = new Set<string>();

  constructor() {
    const [open, openLater] = [this.#open, this.#openLater];
    const [sync, syncSync] = [this.#sync, this.#syncSync];
    const onOpen = (path: string, file: Deno.FsFile, isNew: boolean): void => {
      this.#paths.set(file, path);
      if (isNew) this.#unsafe.add(path).add(dirname(path));
    };
    const onSynced = (file: Deno.FsFile): void => {
      const path = this.#paths.get(file)!;
      this.#unsafe.delete(path);
      this.#syncs.set(path, this.syncsOf(path) + 1);
    };
    Deno.openSync = function (path, options): Deno.FsFile {
      const file = open(path, options);
      onOpen(String(path), file, options?.write === true);
      return file;
    };
    Deno.open = async function (path, options): Promise<Deno.FsFile> {
      const file = await openLater(path, options);
      onOpen(String(path), file, options?.write === true);
      return file;
    };
    Deno.FsFile.prototype.sync = async function (): Promise<void> {
      await sync.call(this);
      onSynced(this);
    };
    Deno.FsFile.prototype.syncSync = function (): void {
      syncSync.call(this);
      onSynced(this);
    };
  }

  isSafe(path: string): boolean {
    return !this.#unsafe.has(path);
  }

  /** Every synchronized path. */
  get synced(): string[] {
    return [...this.#syncs.keys()].sort();
  }

  syncsOf(path: string): number {
    return this.#syncs.get(path) ?? 0;
  }

  [Symbol.dispose](): void {
    Deno.openSync = this.#open;
    Deno.open = this.#openLater;
    Deno.FsFile.prototype.sync = this.#sync;
    Deno.FsFile.prototype.syncSync = this.#syncSync;
  }
}
