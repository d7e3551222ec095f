import { chunksOf, ChunkState } from "../../store/copy_before_write.ts";
import type { Preserved, ReadableFile } from "./copy_disk.ts";

/** A file to copy from. */
export class OpenFile implements ReadableFile {
  readonly #file: Deno.FsFile;
  readonly #path: string;

  /** @throws {Error} when it cannot be opened */
  constructor(path: string) {
    this.#path = path;
    this.#file = Deno.openSync(path, { read: true });
  }

  /** The bytes of the file or device. */
  get sizeBytes(): number {
    return this.#file.seekSync(0, Deno.SeekMode.End);
  }

  read(offset: number, into: Uint8Array): void {
    this.#file.seekSync(offset, Deno.SeekMode.Start);
    for (let filled = 0; filled < into.length;) {
      const count = this.#file.readSync(into.subarray(filled));
      if (count === null) throw new Error(`Cannot read "${this.#path}": unexpected end of file`);
      filled += count;
    }
  }

  [Symbol.dispose](): void {
    this.#file.close();
  }
}

/** The files that a running server shares with the copier of a disk. */
export class PreservedFiles implements Preserved {
  readonly keep: OpenFile;
  readonly isDestination: boolean;
  readonly #map: OpenFile;
  readonly #marks: Deno.FsFile;
  readonly #copied: Uint8Array;

  /** @throws {Error} when they cannot be opened */
  constructor(
    paths: { readonly keep: string; readonly map: string },
    isDestination: boolean,
    sizeBytes: number,
  ) {
    this.isDestination = isDestination;
    this.keep = new OpenFile(paths.keep);
    this.#map = new OpenFile(paths.map);
    this.#marks = Deno.openSync(paths.map, { write: true });
    this.#copied = new Uint8Array(Math.min(chunksOf(sizeBytes), 64 * 1024)).fill(ChunkState.copied);
  }

  readonly states = (firstChunk: number, count: number): Uint8Array => {
    const states = new Uint8Array(count);
    this.#map.read(firstChunk, states);
    return states;
  };

  markCopied(firstChunk: number, count: number): void {
    this.#marks.seekSync(firstChunk, Deno.SeekMode.Start);
    for (let left = count; left > 0;) left -= this.#marks.writeSync(this.#copied.subarray(0, left));
  }

  [Symbol.dispose](): void {
    this.keep[Symbol.dispose]();
    this.#map[Symbol.dispose]();
    this.#marks.close();
  }
}
