import { assert, assertEquals } from "@std/assert";
import { AdaptiveStore } from "../../lib/store/adaptive_store.ts";
import type { BlockStore } from "../../lib/store/block_store.ts";
import {
  CHUNK_BYTES_MIN as CHUNK_BYTES,
  chunkBytesOf,
  chunksOf,
  ChunkState,
  CopyBeforeWrite,
  type PreservationOptions,
} from "../../lib/store/copy_before_write.ts";
import { setTimer } from "../../lib/base/delay.ts";
import { emptyStore } from "../bench/empty_store.ts";
import { FakeClock } from "../support/fake_clock.ts";
import { FaultyStore } from "../support/faulty_store.ts";
import { MemoryStore } from "../support/memory_store.ts";
import { mostReactions } from "../support/reactions.ts";
import { numberFromEnvironment, Random } from "../support/seeded_random.ts";
import { SlowStore } from "../support/slow_store.ts";
import { until } from "../support/until.ts";

const SIZE = 4 * CHUNK_BYTES + 512;

interface Preserved {
  readonly layer: CopyBeforeWrite;
  readonly keep: BlockStore;
  readonly map: MemoryStore;
  readonly failures: string[];
  readonly slowMap: SlowStore;
}

function preserve(
  store: BlockStore,
  options: {
    keep?: BlockStore;
    bufferedBytes?: number;
    after?: PreservationOptions["after"];
    isMapSlow?: boolean;
  } = {},
): Preserved {
  const { keep = new MemoryStore({ sizeBytes: SIZE }), bufferedBytes = 1024 ** 2, after = setTimer } =
    options;
  const map = new MemoryStore({ sizeBytes: chunksOf(store.sizeBytes) });
  const slowMap = new SlowStore(map);
  const failures: string[] = [];
  const layer = new CopyBeforeWrite(store, {
    keep,
    map: options.isMapSlow ? slowMap : map,
    after,
    onFailed: (reason) => failures.push(reason),
    limits: { bufferedBytes, waitMs: 1000 },
  });
  return { layer, keep, map, failures, slowMap };
}

async function change(store: BlockStore, offset: number, bytes: Uint8Array): Promise<void> {
  if (!store.writeNow(offset, bytes)) await store.write(offset, bytes);
}

function contentOf(store: BlockStore): Uint8Array {
  const bytes = new Uint8Array(store.sizeBytes);
  store.readNow(0, bytes);
  return bytes;
}

/** Copies as the command does, in pieces, while the test changes the store: see `copyPiece` of lib/provision/copy. */
async function copyBeside(
  store: BlockStore,
  { map }: Preserved,
  pause: () => Promise<void>,
): Promise<Uint8Array> {
  const copy = new Uint8Array(SIZE);
  for (let chunk = 0; chunk < chunksOf(SIZE); chunk++) {
    const piece = copy.subarray(chunk * CHUNK_BYTES, (chunk + 1) * CHUNK_BYTES);
    await store.read(chunk * CHUNK_BYTES, piece);
    await pause();
    const state = new Uint8Array(1);
    map.readNow(chunk, state);
    if (state[0] === ChunkState.unchanged) map.writeNow(chunk, Uint8Array.of(ChunkState.copied));
    else piece.fill(0);
    await pause();
  }
  return copy;
}

/** Adds what is kept of the chunks that the copier has not taken. */
function overlay(copy: Uint8Array, { keep, map }: Preserved): Uint8Array {
  const states = contentOf(map);
  const kept = contentOf(keep);
  for (const [chunk, state] of states.entries()) {
    if (state === ChunkState.copied) continue;
    const start = chunk * CHUNK_BYTES;
    copy.set(kept.subarray(start, start + CHUNK_BYTES), start);
  }
  return copy;
}

Deno.test("CopyBeforeWrite() preserves what the store held, whatever changes it meanwhile", async () => {
  const seed = numberFromEnvironment("COPY_SEED", Date.now() >>> 0);
  const rounds = numberFromEnvironment("COPY_ROUNDS", 1000);
  const random = new Random(seed);
  const fill = random.bytes(SIZE);
  for (let round = 0; round < rounds; round++) {
    const medium = new MemoryStore({ sizeBytes: SIZE, canUnmap: true });
    for (let chunk = 0; chunk < 4; chunk++) {
      const start = chunk * CHUNK_BYTES;
      if (random.oneIn(2)) medium.writeNow(start, fill.subarray(start, start + CHUNK_BYTES));
    }
    const store = new AdaptiveStore(medium, () => performance.now());
    const before = contentOf(store);
    const parts = preserve(medium);
    const { remove } = store.interpose(() => parts.layer);
    const turns = async (): Promise<void> => {
      for (let turn = random.below(4); turn > 0; turn--) await Promise.resolve();
    };
    const changes = Array.from({ length: 3 }, async () => {
      for (let count = random.below(6); count > 0; count--) {
        await turns();
        const offset = random.below(SIZE / 512 - 1) * 512;
        const length = Math.min(512 * (1 + random.below(200)), SIZE - offset);
        if (random.oneIn(4)) await store.unmap([{ offset, lengthBytes: length }]);
        else await change(store, offset, fill.subarray(0, length));
      }
    });
    const copy = await copyBeside(store, parts, turns);
    const failure = await parts.layer.finish();
    remove();
    await Promise.all(changes);
    assertEquals(failure, undefined);
    const isSame = overlay(copy, parts).every((byte, index) => byte === before[index]);
    assert(isSame, `COPY_SEED=${seed}, round ${round}: the copy differs from the disk`);
  }
});

Deno.test("CopyBeforeWrite.writeNow() declines the first change of a chunk, and passes every later one", async () => {
  const { layer } = preserve(new MemoryStore({ sizeBytes: SIZE }));
  const bytes = new Uint8Array(512).fill(1);
  assertEquals(layer.writeNow(0, bytes), false);
  await layer.write(0, bytes);
  assertEquals(layer.writeNow(512, bytes), true);
  assertEquals(layer.writeNow(CHUNK_BYTES - 512, new Uint8Array(1024)), false);
});

Deno.test("CopyBeforeWrite.write() keeps no bytes of a chunk that the copier has taken", async () => {
  const store = new MemoryStore({ sizeBytes: SIZE });
  store.writeNow(0, new Uint8Array(SIZE).fill(7));
  const { layer, map, keep } = preserve(store);
  map.writeNow(1, Uint8Array.of(ChunkState.copied));
  await layer.write(CHUNK_BYTES, new Uint8Array(512));
  await layer.finish();
  assertEquals((keep as MemoryStore).writeCount, 0);
});

Deno.test("CopyBeforeWrite.write() keeps no bytes of a chunk that is zero, and says that it is kept", async () => {
  const { layer, map, keep } = preserve(new MemoryStore({ sizeBytes: SIZE }));
  await layer.write(0, new Uint8Array(512).fill(1));
  assertEquals((keep as MemoryStore).writeCount, 0);
  assertEquals(contentOf(map)[0], ChunkState.kept);
});

Deno.test("CopyBeforeWrite.write() does not wait for the store that keeps the old bytes", async () => {
  const store = new MemoryStore({ sizeBytes: SIZE });
  store.writeNow(0, new Uint8Array(SIZE).fill(7));
  const keep = new SlowStore(new MemoryStore({ sizeBytes: SIZE }));
  const { layer, map } = preserve(store, { keep });
  await layer.write(0, new Uint8Array(512));
  assertEquals(contentOf(map)[0], ChunkState.changed);
  const finished = layer.finish();
  await until(() => keep.pending.length === 1, "old bytes are kept");
  keep.releaseAll();
  assertEquals(await finished, undefined);
  assertEquals(contentOf(map)[0], ChunkState.kept);
});

Deno.test("CopyBeforeWrite.write() changes the disk only after the map says so", async () => {
  const store = new MemoryStore({ sizeBytes: SIZE });
  store.writeNow(0, new Uint8Array(SIZE).fill(7));
  const { layer, slowMap } = preserve(store, { isMapSlow: true });
  const written = layer.write(0, new Uint8Array(512));
  await until(() => slowMap.pending.length === 1, "the map is read");
  slowMap.release();
  await until(() => slowMap.pending.length === 1, "the map is written");
  assertEquals(slowMap.pending[0]!.operation, "write");
  assertEquals(layer.writeNow(512, new Uint8Array(512)), false);
  assertEquals(contentOf(store)[0], 7);
  slowMap.release();
  await written;
  assertEquals(contentOf(store)[0], 0);
  await until(() => slowMap.pending.length === 1, "the old bytes are kept");
  slowMap.releaseAll();
  assertEquals(await layer.finish(), undefined);
});

Deno.test("CopyBeforeWrite fails when a change has waited too long for room, and lets the change through", async () => {
  const store = new MemoryStore({ sizeBytes: SIZE });
  store.writeNow(0, new Uint8Array(SIZE).fill(7));
  const keep = new SlowStore(new MemoryStore({ sizeBytes: SIZE }));
  const clock = new FakeClock();
  const after = clock.after.bind(clock);
  const { layer, failures } = preserve(store, { keep, bufferedBytes: 2 * CHUNK_BYTES, after });
  await layer.write(0, new Uint8Array(2 * CHUNK_BYTES));
  let isWritten = false;
  const third = layer.write(2 * CHUNK_BYTES, new Uint8Array(512)).then(() => isWritten = true);
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
  assertEquals(isWritten, false);
  clock.advance(1000);
  await third;
  assertEquals(failures, ["a change of the disk has waited 1 s for its old blocks to be saved"]);
  assertEquals(contentOf(store)[2 * CHUNK_BYTES], 0);
  assertEquals(layer.writeNow(3 * CHUNK_BYTES, new Uint8Array(512)), true);
  keep.releaseAll();
  assertEquals(await layer.finish(), failures[0]);
});

Deno.test("CopyBeforeWrite goes on when room is freed in time", async () => {
  const store = new MemoryStore({ sizeBytes: SIZE });
  store.writeNow(0, new Uint8Array(SIZE).fill(7));
  const kept = new MemoryStore({ sizeBytes: SIZE });
  const keep = new SlowStore(kept);
  const { layer, failures } = preserve(store, { keep, bufferedBytes: CHUNK_BYTES });
  const written = layer.unmap([{ offset: 0, lengthBytes: SIZE }]);
  let isWritten = false;
  written.then(() => isWritten = true);
  await until(() => {
    keep.releaseAll();
    return isWritten;
  }, "all is unmapped");
  const finished = layer.finish();
  keep.releaseAll();
  assertEquals([await finished, failures], [undefined, []]);
  assertEquals(contentOf(kept).every((byte) => byte === 7), true);
});

Deno.test("CopyBeforeWrite keeps nothing of changes that are done, however long the copy takes", async () => {
  const store = emptyStore(100 * CHUNK_BYTES);
  const { layer } = preserve(store, { keep: emptyStore(store.sizeBytes) });
  const reactions = await mostReactions(async () => {
    for (let chunk = 0; chunk < 100; chunk++) await layer.write(chunk * CHUNK_BYTES, new Uint8Array(512));
  });
  assert(reactions < 10, `${reactions} reactions to one promise`);
});

Deno.test("CopyBeforeWrite gives room to the chunk that has waited for longest", async () => {
  const store = new MemoryStore({ sizeBytes: SIZE });
  store.writeNow(0, new Uint8Array(SIZE).fill(7));
  const keep = new SlowStore(new MemoryStore({ sizeBytes: SIZE }));
  const { layer } = preserve(store, { keep, bufferedBytes: CHUNK_BYTES });
  const ended: number[] = [];
  const writes = [0, 1, 2, 3].map((chunk) =>
    layer.write(chunk * CHUNK_BYTES, new Uint8Array(512)).then(() => ended.push(chunk))
  );
  for (const count of [1, 2, 3, 4]) {
    await until(() => ended.length === count && keep.pending.length === 1, `chunk ${count} is read`);
    keep.release();
  }
  await Promise.all(writes);
  assertEquals(ended, [0, 1, 2, 3]);
  assertEquals(await layer.finish(), undefined);
});

for (const operation of ["write", "read"] as const) {
  const at = operation === "write" ? "keep" : "medium";
  Deno.test(`CopyBeforeWrite fails, and the disk does not, when the ${at} fails to ${operation}`, async () => {
    const medium = new FaultyStore(new MemoryStore({ sizeBytes: SIZE }));
    await medium.write(0, new Uint8Array(SIZE).fill(7));
    const keep = new FaultyStore(new MemoryStore({ sizeBytes: SIZE }));
    const faulty = { keep, medium }[at];
    faulty.inject({ operation, kind: operation === "write" ? "outOfSpace" : "readFailed" });
    const { layer, failures } = preserve(medium, { keep });
    await layer.write(0, new Uint8Array(512).fill(9));
    await until(() => failures.length === 1, "the copy fails");
    medium.heal();
    assertEquals(contentOf(medium)[0], 9);
    assertEquals(await layer.finish(), failures[0]);
  });
}

Deno.test("CopyBeforeWrite.write() passes changes beyond the size that the store had", () => {
  const store = new MemoryStore({ sizeBytes: SIZE });
  const { layer } = preserve(store);
  store.sizeBytes = SIZE + 4 * CHUNK_BYTES;
  assertEquals(layer.writeNow(SIZE + 2 * CHUNK_BYTES, new Uint8Array(512)), true);
});

Deno.test("chunkBytesOf() grows with the store, so that the map is never large", () => {
  const [tebibyte, pebibyte] = [2 ** 40, 2 ** 50];
  assertEquals([0.5, 4, 4.5, 64].map((size) => chunkBytesOf(size * tebibyte) / 1024), [64, 64, 128, 1024]);
  assertEquals(chunksOf(8 * pebibyte), 2 ** 26);
});
