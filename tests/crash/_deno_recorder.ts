/**
 * Records the changes that this process makes to a folder, by replacing Deno's own functions during a piece of work.
 * The replacements do the work, too; background work is recorded with its start and its end. Only syncs are not done,
 * since they change nothing that a process can see.
 */
import { dirname } from "@std/path";
import type { Change, Operation, Recording } from "./_operation.ts";
import { type OpenFile, REAL_FILE, replaceFileMethods, restoreFileMethods } from "./_recorded_file.ts";

/** Deno's original functions that change a folder. */
const REAL = {
  open: Deno.open,
  openSync: Deno.openSync,
  mkdir: Deno.mkdir,
  mkdirSync: Deno.mkdirSync,
  remove: Deno.remove,
  removeSync: Deno.removeSync,
  rename: Deno.rename,
  renameSync: Deno.renameSync,
  symlinkSync: Deno.symlinkSync,
  linkSync: Deno.linkSync,
  truncateSync: Deno.truncateSync,
  writeTextFileSync: Deno.writeTextFileSync,
  writeFileSync: Deno.writeFileSync,
} as const;

/** Functions that change a folder and that nothing stands in for. Work that calls one cannot be recorded. */
const UNRECORDED = {
  copyFile: Deno.copyFile,
  copyFileSync: Deno.copyFileSync,
  create: Deno.create,
  createSync: Deno.createSync,
  link: Deno.link,
  symlink: Deno.symlink,
  truncate: Deno.truncate,
  writeFile: Deno.writeFile,
  writeTextFile: Deno.writeTextFile,
} as const;

/** A recording under way. */
export class DenoRecorder<Note> {
  readonly #root: string;
  readonly #operations: Operation[] = [];
  readonly #notes: { time: number; note: Note }[] = [];
  readonly #handles = new WeakMap<Deno.FsFile, OpenFile>();
  #lastHandle = 0;
  #time = 0;

  private constructor(root: string) {
    this.#root = root;
  }

  /** Records a piece of work on a folder, which is given by its real path. One recording at a time. */
  static async record<Note>(
    root: string,
    work: (recorder: DenoRecorder<Note>) => Promise<void>,
  ): Promise<Recording<Note>> {
    const recorder = new DenoRecorder<Note>(root);
    recorder.#standIn();
    try {
      await work(recorder);
    } finally {
      Object.assign(Deno, REAL, UNRECORDED);
      restoreFileMethods();
    }
    return { operations: recorder.#operations, notes: recorder.#notes, end: ++recorder.#time };
  }

  /** Notes something that is known from now on. */
  note(note: Note): void {
    this.#notes.push({ time: ++this.#time, note });
  }

  /** Makes a hole in a file, as another program would: with zeros in place of it, since that is faster. */
  async punch(path: string, offset: number, lengthBytes: number): Promise<void> {
    const handle = ++this.#lastHandle;
    const relative = this.#relative(path)!;
    this.#did({ kind: "open", handle, path: relative, creates: false, truncates: false });
    await this.#doing({ kind: "punch", handle, offset, lengthBytes }, async () => {
      using file = await REAL.open(path, { write: true });
      await REAL_FILE.seek.call(file, offset, Deno.SeekMode.Start);
      await REAL_FILE.write.call(file, new Uint8Array(lengthBytes));
    });
  }

  /** The path from the root; undefined for what lies elsewhere. */
  #relative(path: string | URL): string | undefined {
    const text = String(path);
    if (text === this.#root) return "";
    return text.startsWith(`${this.#root}/`) ? text.slice(this.#root.length + 1) : undefined;
  }

  #did(change: Change): void {
    const start = ++this.#time;
    this.#operations.push({ start, end: ++this.#time, change });
  }

  async #doing<T>(change: Change, work: () => Promise<T>): Promise<T> {
    const start = ++this.#time;
    const result = await work();
    this.#operations.push({ start, end: ++this.#time, change });
    return result;
  }

  #standIn(): void {
    const deno: typeof REAL = { ...REAL, ...this.#openers(), ...this.#namers() };
    const refusals = Object.keys(UNRECORDED).map((name) => [name, (): never => {
      throw new Error(`Cannot record Deno.${name}: teach the recorder about it`);
    }]);
    Object.assign(Deno, deno, Object.fromEntries(refusals));
    replaceFileMethods({
      find: (file) => this.#handles.get(file),
      did: (change) => this.#did(change),
      doing: (change, work) => this.#doing(change, work),
    });
  }

  #opened(file: Deno.FsFile, path: string | URL, options: Deno.OpenOptions, start: number): Deno.FsFile {
    // A symbolic link leads to the file that is really opened.
    const real = this.#relative(Deno.realPathSync(path));
    if (real === undefined) return file;
    const handle = ++this.#lastHandle;
    this.#handles.set(file, { handle, position: 0 });
    const creates = options.create === true || options.createNew === true;
    const truncates = options.truncate === true;
    this.#operations.push({
      start,
      end: ++this.#time,
      change: { kind: "open", handle, path: real, creates, truncates },
    });
    return file;
  }

  #openers(): Pick<
    typeof REAL,
    "open" | "openSync" | "truncateSync" | "writeFileSync" | "writeTextFileSync"
  > {
    const openSync: typeof Deno.openSync = (path, options = { read: true }) => {
      const start = ++this.#time;
      return this.#opened(REAL.openSync(path, options), path, options, start);
    };
    const writeFileSync: typeof Deno.writeFileSync = (path, data, options = {}) => {
      if (data instanceof ReadableStream) {
        throw new Error("Cannot record a stream: teach the recorder about it");
      }
      const { append = false, create = true, createNew = false, mode } = options;
      const how = { write: true, create, createNew, truncate: !append };
      using file = openSync(path, mode === undefined ? how : { ...how, mode });
      if (append) file.seekSync(0, Deno.SeekMode.End);
      file.writeSync(data as Uint8Array);
    };
    return {
      openSync,
      open: async (path, options = { read: true }) => {
        const start = ++this.#time;
        return this.#opened(await REAL.open(path, options), path, options, start);
      },
      truncateSync: (path, length = 0) => {
        using file = openSync(path, { write: true });
        file.truncateSync(length);
      },
      writeFileSync,
      writeTextFileSync: (path, text, options) =>
        writeFileSync(path, new TextEncoder().encode(text as string), options),
    };
  }

  #namers(): Omit<typeof REAL, "open" | "openSync" | "truncateSync" | "writeFileSync" | "writeTextFileSync"> {
    const mkdirSync: typeof Deno.mkdirSync = (path, options = {}) => {
      const text = String(path);
      if (options.recursive === true) {
        if (exists(text)) return;
        mkdirSync(dirname(text), options);
      }
      REAL.mkdirSync(text, { ...options, recursive: false });
      this.#named(text, (path) => ({ kind: "makeFolder", path }));
    };
    const removeSync: typeof Deno.removeSync = (path, options = {}) => {
      const text = String(path);
      if (options.recursive === true && Deno.lstatSync(text).isDirectory) {
        for (const { name } of [...Deno.readDirSync(text)]) removeSync(`${text}/${name}`, options);
      }
      REAL.removeSync(text);
      this.#named(text, (path) => ({ kind: "remove", path }));
    };
    const renameSync: typeof Deno.renameSync = (from, to) => {
      REAL.renameSync(from, to);
      this.#named(to, (path) => ({ kind: "rename", from: this.#relative(from)!, path }));
    };
    return {
      mkdirSync,
      mkdir: (path, options) => Promise.resolve(mkdirSync(path, options)),
      removeSync,
      remove: (path, options) => Promise.resolve(removeSync(path, options)),
      renameSync,
      rename: async (from, to) => {
        const change: Change = { kind: "rename", from: this.#relative(from)!, path: this.#relative(to)! };
        await this.#doing(change, () => REAL.rename(from, to));
      },
      symlinkSync: (target, path) => {
        REAL.symlinkSync(target, path);
        this.#named(path, (path) => ({ kind: "makeLink", path, target: String(target) }));
      },
      linkSync: (from, to) => {
        REAL.linkSync(from, to);
        this.#named(to, (path) => ({ kind: "addName", from: this.#relative(from)!, path }));
      },
    };
  }

  #named(path: string | URL, change: (path: string) => Change): void {
    const relative = this.#relative(path);
    if (relative !== undefined) this.#did(change(relative));
  }
}

function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}
