import { assert, assertEquals, assertRejects } from "@std/assert";
import { type CopyDestination, copyDisk, type Preserved } from "../../../lib/provision/copy/copy_disk.ts";
import { ByteStream } from "../../../lib/provision/copy/destinations.ts";
import type { ByteRange } from "../../../lib/store/byte_range.ts";
import {
  CHUNK_BYTES_MIN as CHUNK_BYTES,
  chunksOf,
  ChunkState,
} from "../../../lib/store/copy_before_write.ts";
import { numberFromEnvironment, Random } from "../../support/seeded_random.ts";

const CHUNKS = 40;
const SIZE = CHUNKS * CHUNK_BYTES + 4096;

/** A disk and the part of a server that preserves it, which changes chunks between any two calls of the copier. */
class ChangingDisk {
  readonly disk: Uint8Array;
  readonly map = new Uint8Array(chunksOf(SIZE));
  readonly kept: Uint8Array;
  readonly #random: Random;
  /** Chunks whose old bytes are to be kept. */
  readonly #pending: (() => void)[] = [];

  constructor(disk: Uint8Array, kept: Uint8Array, random: Random) {
    this.disk = disk;
    this.kept = kept;
    this.#random = random;
  }

  /** Changes some chunks, or keeps what was changed before. */
  step(): void {
    for (let count = this.#random.below(4); count > 0; count--) {
      if (this.#random.oneIn(2)) this.#pending.shift()?.();
      else this.#change(this.#random.below(this.map.length));
    }
  }

  settle(): void {
    for (const keep of this.#pending.splice(0)) keep();
  }

  #change(chunk: number): void {
    const start = chunk * CHUNK_BYTES;
    const bytes = this.disk.subarray(start, start + CHUNK_BYTES);
    if (this.map[chunk] === ChunkState.unchanged) {
      const old = bytes.slice();
      this.map[chunk] = ChunkState.changed;
      this.#pending.push(() => {
        this.kept.set(old, start);
        this.map[chunk] = ChunkState.kept;
      });
    }
    bytes.fill(this.#random.below(256));
  }

  /** The copier's view of the disk. */
  get source(): { read(offset: number, into: Uint8Array): void } {
    return {
      read: (offset, into) => {
        this.step();
        into.set(this.disk.subarray(offset, offset + into.length));
        this.step();
      },
    };
  }

  preserved(isDestination: boolean): Preserved {
    return {
      isDestination,
      keep: { read: (offset, into) => into.set(this.kept.subarray(offset, offset + into.length)) },
      states: (first, count) => {
        this.step();
        const states = this.map.slice(first, first + count);
        this.step();
        return states;
      },
      markCopied: (first, count) => {
        this.step();
        this.map.fill(ChunkState.copied, first, first + count);
      },
    };
  }
}

/** A destination in memory. */
function intoBuffer(buffer: Uint8Array): CopyDestination {
  return {
    write: (offset, bytes) => Promise.resolve(buffer.set(bytes, offset)),
    writeZeros: () => Promise.resolve(),
    sync: () => Promise.resolve(),
  };
}

function nothing(): Promise<void> {
  return Promise.resolve();
}

/** Returns the chunks of a disk that are not zero, as extents with odd ends. */
function extentsOf(disk: Uint8Array): ByteRange[] {
  const extents: ByteRange[] = [];
  for (let at = 0; at < SIZE; at += 4096) {
    if (disk.subarray(at, at + 4096).some((byte) => byte !== 0)) {
      extents.push({ offset: at, lengthBytes: 4096 });
    }
  }
  return extents;
}

Deno.test("copyDisk() copies the preserved content, whatever changes between any two of its steps", async () => {
  const seed = numberFromEnvironment("COPY_SEED", Date.now() >>> 0);
  const rounds = numberFromEnvironment("COPY_ROUNDS", 40);
  const random = new Random(seed);
  for (let round = 0; round < rounds; round++) {
    const before = new Uint8Array(SIZE);
    for (let chunk = 0; chunk < CHUNKS; chunk++) {
      if (random.oneIn(2)) {
        before.fill(1 + random.below(255), chunk * CHUNK_BYTES, chunk * CHUNK_BYTES + 8192);
      }
    }
    const isDestination = random.oneIn(2);
    const copy = new Uint8Array(SIZE);
    const kept = isDestination ? copy : new Uint8Array(SIZE);
    const disk = new ChangingDisk(before.slice(), kept, random);
    const extents = random.oneIn(2) ? extentsOf(before) : undefined;
    const work = copyDisk({
      source: disk.source,
      sizeBytes: SIZE,
      extents,
      preserved: disk.preserved(isDestination),
      destination: intoBuffer(copy),
      isGentle: true,
      pace: nothing,
      onProgress: () => {},
      signal: new AbortController().signal,
    });
    await work;
    disk.settle();
    const differs = copy.findIndex((byte, index) => byte !== before[index]);
    assert(differs < 0, `COPY_SEED=${seed}, round ${round}: byte ${differs} differs`);
  }
});

Deno.test("copyDisk() reads no hole, and gives a stream all of its zeros", async () => {
  const reads: number[] = [];
  const written: Uint8Array[] = [];
  await copyDisk({
    source: {
      read: (offset, into) => {
        reads.push(offset);
        into.fill(1);
      },
    },
    sizeBytes: SIZE,
    extents: [{ offset: 5 * CHUNK_BYTES + 4096, lengthBytes: 4096 }],
    preserved: undefined,
    destination: new ByteStream((bytes) => {
      written.push(bytes.slice());
      return Promise.resolve(bytes.length);
    }),
    isGentle: true,
    pace: nothing,
    onProgress: () => {},
    signal: new AbortController().signal,
  });
  assertEquals(reads, [5 * CHUNK_BYTES]);
  const stream = new Uint8Array(await new Blob(written as BlobPart[]).arrayBuffer());
  assertEquals(stream.length, SIZE);
  assertEquals(stream.indexOf(1), 5 * CHUNK_BYTES);
  assertEquals(stream.lastIndexOf(1), 6 * CHUNK_BYTES - 1);
});

Deno.test("copyDisk() ends with the reason of its signal", async () => {
  const controller = new AbortController();
  const error = await assertRejects(() =>
    copyDisk({
      source: { read: (_offset, into) => void into.fill(1) },
      sizeBytes: SIZE,
      extents: undefined,
      preserved: undefined,
      destination: intoBuffer(new Uint8Array(SIZE)),
      isGentle: true,
      pace: nothing,
      onProgress: () => controller.abort(new Error("the server has ended")),
      signal: controller.signal,
    }), Error);
  assertEquals(error.message, "the server has ended");
});
