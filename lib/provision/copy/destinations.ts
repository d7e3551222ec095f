import type { CopyDestination } from "./copy_disk.ts";

const ZEROS = new Uint8Array(1024 * 1024);

/** A new file, whose zeros stay holes. */
export class SparseFile implements CopyDestination {
  readonly #file: Deno.FsFile;
  readonly #assertRoom: () => void;

  /** @param assertRoom throws when the file must take no more space */
  constructor(file: Deno.FsFile, assertRoom: () => void) {
    this.#file = file;
    this.#assertRoom = assertRoom;
  }

  // deno-lint-ignore require-await
  async write(offset: number, bytes: Uint8Array): Promise<void> {
    this.#file.seekSync(offset, Deno.SeekMode.Start);
    for (let written = 0; written < bytes.length;) written += this.#file.writeSync(bytes.subarray(written));
  }

  async writeZeros(): Promise<void> {}

  async sync(): Promise<void> {
    await this.#file.syncData();
    this.#assertRoom();
  }
}

/** A stream, which gets all bytes. */
export class ByteStream implements CopyDestination {
  readonly #write: (bytes: Uint8Array) => Promise<number>;

  constructor(write: (bytes: Uint8Array) => Promise<number>) {
    this.#write = write;
  }

  async write(_offset: number, bytes: Uint8Array): Promise<void> {
    for (let written = 0; written < bytes.length;) written += await this.#write(bytes.subarray(written));
  }

  async writeZeros(offset: number, lengthBytes: number): Promise<void> {
    for (let left = lengthBytes; left > 0; left -= ZEROS.length) {
      await this.write(offset, ZEROS.subarray(0, Math.min(left, ZEROS.length)));
    }
  }

  async sync(): Promise<void> {}
}
