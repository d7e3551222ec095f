import { delay } from "../../lib/base/delay.ts";
import { chunkBytesOf, CopyBeforeWrite } from "../../lib/store/copy_before_write.ts";
import { FileActivity } from "../../lib/store/file_activity.ts";
import { FlushQueue } from "../../lib/store/flush_queue.ts";
import { PunchQueue } from "../../lib/store/punch_queue.ts";
import { SpaceMap } from "../../lib/store/space_map.ts";
import { type BlockStore, StoreError } from "../../lib/store/block_store.ts";
import type { ByteRange } from "../../lib/store/byte_range.ts";
import { ThinStore } from "../../lib/store/thin_store.ts";
import { emptyStore } from "./empty_store.ts";
import { type Operation, scattered, type Structure } from "./structure.ts";

const GIBIBYTE = 1024 ** 3;
const BLOCK_BYTES = 4096;
const BLOCK = new Uint8Array(BLOCK_BYTES);

/** Writes a block, unmaps it again, and looks for the end of the extent. */
function changeMap(map: SpaceMap, blocks: number, stepBytes: number): Operation {
  const next = scattered(blocks);
  return (): unknown => {
    const offset = next() * stepBytes;
    map.markMapped(offset, BLOCK_BYTES);
    const { endBytes } = map.extentAt(offset);
    map.markUnmapped(offset, stepBytes);
    return endBytes;
  };
}

/** Returns ranges that do not touch each other. */
function rangesUpTo(count: number): ByteRange[] {
  return Array.from({ length: count }, (_, index) => ({ offset: index * 8192, lengthBytes: 4096 }));
}

/** Returns a queue with so many ranges, which came 100 at a time. */
function punchQueueWith(count: number): PunchQueue {
  const queue = new PunchQueue(() => new Promise(() => {}));
  const ranges = rangesUpTo(count);
  for (let at = 0; at < count; at += 100) queue.add(ranges.slice(at, at + 100));
  return queue;
}

/** Returns a preservation with room for one chunk, for which so many wait, and a function that adds one. */
async function preservationWith(count: number): Promise<{ change: () => void; endKeeping: () => void }> {
  const sizeBytes = 64 * GIBIBYTE;
  const chunkBytes = chunkBytesOf(sizeBytes);
  let endKeeping = (): void => {};
  const keeping = (): Promise<void> => new Promise((resolve) => endKeeping = resolve);
  const read = (_offset: number, into: Uint8Array): Promise<void> => Promise.resolve(void into.fill(1, 0, 1));
  const copy = new CopyBeforeWrite({ ...emptyStore(sizeBytes), read }, {
    keep: { ...emptyStore(sizeBytes), write: keeping },
    map: { ...emptyStore(sizeBytes / chunkBytes) },
    after: () => () => {},
    onFailed: () => {},
    limits: { bufferedBytes: chunkBytes, waitMs: 1 },
  });
  let chunk = 0;
  const change = (): void => void copy.write(chunk++ * chunkBytes, BLOCK);
  for (let waiting = 0; waiting <= count; waiting++) change();
  await delay(0);
  return { change, endKeeping: () => endKeeping() };
}

/** The structures of `lib/store`. */
export const STORE_STRUCTURES: readonly Structure[] = [
  {
    name: "space map: change a block of a LUN of n GiB",
    counts: [100, 1_000, 10_000],
    prepare: (count): Operation => changeMap(new SpaceMap(count * GIBIBYTE, true), count * 8, GIBIBYTE / 8),
  },
  {
    name: "space map: change a block among n extents",
    counts: [10_000, 100_000, 1_000_000],
    prepare(count): Operation {
      const map = new SpaceMap(32 * GIBIBYTE, true);
      const stepBytes = Math.floor(32 * GIBIBYTE / count / BLOCK_BYTES) * BLOCK_BYTES;
      for (let extent = 0; extent < count; extent++) map.markMapped(extent * stepBytes, BLOCK_BYTES);
      const next = scattered(count - 1);
      return (): unknown => {
        const offset = next() * stepBytes;
        map.markUnmapped(offset, BLOCK_BYTES);
        const { endBytes } = map.extentAt(offset);
        map.markMapped(offset, BLOCK_BYTES);
        return endBytes;
      };
    },
  },
  {
    name: "punch queue: a write beside n ranges",
    counts: [1_000, 10_000, 100_000],
    prepare(count): Operation {
      const queue = punchQueueWith(count);
      return () => queue.endOfBatchWith(count * 8192, 4096);
    },
  },
  {
    name: "punch queue: one more of n ranges",
    counts: [9, 90, 900],
    prepare(count): Operation {
      const queue = punchQueueWith(1);
      queue.add(rangesUpTo(count));
      const next = scattered(count);
      return () => void queue.add([{ offset: next() * 8192, lengthBytes: 4096 }]);
    },
  },
  {
    name: "thin store: a hole beside n writes",
    counts: [10, 100, 1_000],
    prepare(count): Operation {
      const lower: BlockStore = {
        ...emptyStore((count + 1) * 8192),
        writeNow: () => false,
        write: () => new Promise(() => {}),
      };
      const store = new ThinStore(lower, {
        puncher: { punch: () => Promise.resolve("punched") },
        isEmpty: false,
      });
      for (let index = 0; index < count; index++) store.write(index * 8192, new Uint8Array(4096));
      return async (): Promise<void> => {
        await store.unmap([{ offset: count * 8192, lengthBytes: 4096 }]);
        store.writeNow(count * 8192, BLOCK);
      };
    },
  },
  {
    name: "flush queue: one more of n that wait",
    counts: [10, 100, 1_000],
    prepare(count): Operation {
      const toError = (cause: unknown): StoreError => new StoreError("flushFailed", String(cause));
      const queue = new FlushQueue({ sync: () => new Promise(() => {}), toError });
      for (let index = 0; index < count; index++) queue.flush();
      return () => void queue.flush();
    },
  },
  {
    name: "file activity: an operation beside those on n files",
    counts: [10, 100, 1_000],
    prepare(count): Operation {
      const activity = new FileActivity();
      for (let index = 0; index < count; index++) activity.begin(`/file/${index}`);
      return (): void => {
        activity.begin("/other");
        activity.end("/other");
      };
    },
  },
  {
    name: "copy: write a chunk of n GiB that is saved",
    counts: [100, 1_000, 10_000],
    async prepare(count): Promise<Operation> {
      const sizeBytes = count * GIBIBYTE;
      const chunks = Math.ceil(sizeBytes / chunkBytesOf(sizeBytes));
      const copy = new CopyBeforeWrite(emptyStore(sizeBytes), {
        keep: emptyStore(sizeBytes),
        map: emptyStore(chunks),
        after: () => () => {},
        onFailed: () => {},
      });
      const block = new Uint8Array(BLOCK_BYTES);
      await copy.write(sizeBytes - BLOCK_BYTES, block);
      await delay(0);
      return () => copy.writeNow(sizeBytes - BLOCK_BYTES, block);
    },
  },
  {
    name: "copy: give room to the next of n chunks that wait",
    counts: [10, 100, 1_000],
    async prepare(count): Promise<Operation> {
      const { change, endKeeping } = await preservationWith(count);
      return async (): Promise<void> => {
        endKeeping();
        change();
        for (let turn = 0; turn < 20; turn++) await Promise.resolve();
      };
    },
  },
];
