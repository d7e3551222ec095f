import { assert, assertEquals, assertRejects } from "@std/assert";
import { numberFromEnvironment, Random } from "../support/seeded_random.ts";
import { withScratch } from "../provision/scratch.ts";
import { DenoRecorder } from "./_deno_recorder.ts";
import { Disk } from "./_disk.ts";
import type { Recording } from "./_operation.ts";
import { findDifference, readTree } from "./_tree_files.ts";

const SEED = numberFromEnvironment("FUZZ_SEED", 4096);

function replay(recording: Recording<unknown>): Disk {
  const disk = new Disk();
  for (const operation of recording.operations.toSorted((a, b) => a.end - b.end)) disk.apply(operation);
  return disk;
}

/** Changes a file in every way that there is. */
async function scribble(path: string, random: Random): Promise<void> {
  using file = random.oneIn(2)
    ? await Deno.open(path, { read: true, write: true, create: true })
    : Deno.openSync(path, { read: true, write: true, create: true, truncate: random.oneIn(3) });
  for (let count = 0; count < 6; count++) {
    const bytes = random.bytes(1 + random.below(9000));
    file.seekSync(random.below(20_000), Deno.SeekMode.Start);
    if (random.oneIn(2)) await file.write(bytes);
    else file.writeSync(bytes);
    if (random.oneIn(3)) file.writeSync(bytes);
    if (random.oneIn(4)) file.readSync(new Uint8Array(50));
    if (random.oneIn(4)) file.truncateSync(random.below(20_000));
    if (random.oneIn(4)) await file.syncData();
  }
}

async function change(folder: string, random: Random): Promise<void> {
  for (let count = 0; count < 30; count++) {
    const [a, b] = [`${folder}/${random.below(4)}`, `${folder}/sub/${random.below(4)}`];
    const exists = (path: string): boolean => {
      try {
        return Deno.lstatSync(path).isFile;
      } catch {
        return false;
      }
    };
    Deno.mkdirSync(`${folder}/sub`, { recursive: true });
    await scribble(random.pick([a, b]), random);
    if (exists(a) && random.oneIn(3)) await Deno.rename(a, b);
    if (exists(b) && random.oneIn(4)) Deno.renameSync(b, a);
    if (random.oneIn(5)) Deno.writeTextFileSync(a, "short");
    if (exists(a) && random.oneIn(5)) Deno.truncateSync(a, 3);
    if (exists(b) && random.oneIn(5)) Deno.removeSync(b);
    if (random.oneIn(12)) Deno.removeSync(`${folder}/sub`, { recursive: true });
  }
}

Deno.test(`DenoRecorder records everything that a process does to a folder (FUZZ_SEED=${SEED})`, async () => {
  await withScratch(async (folder) => {
    const random = new Random(SEED);
    const recording = await DenoRecorder.record(folder, () => change(folder, random));
    assert(recording.operations.length > 100);
    assertEquals(findDifference(replay(recording).tree(), readTree(folder)), undefined);
  });
});

Deno.test("DenoRecorder records syncs, so that what was synced in order lasts", async () => {
  await withScratch(async (folder) => {
    const recording = await DenoRecorder.record(folder, () => {
      {
        using file = Deno.openSync(`${folder}/a`, { write: true, create: true });
        file.writeSync(Uint8Array.of(1, 2, 3));
        file.syncSync();
      }
      using parent = Deno.openSync(folder, { read: true });
      parent.syncSync();
      return Promise.resolve();
    });
    assertEquals(findDifference(replay(recording).treeWith(() => false), readTree(folder)), undefined);
  });
});

Deno.test("DenoRecorder refuses what it cannot record, and puts Deno's own functions back", async () => {
  await withScratch(async (folder) => {
    const { openSync, copyFileSync } = Deno;
    const { writeSync } = Deno.FsFile.prototype;
    await assertRejects(
      () => DenoRecorder.record(folder, () => Promise.resolve(Deno.copyFileSync("a", "b"))),
      Error,
      "Cannot record Deno.copyFileSync",
    );
    assertEquals([Deno.openSync, Deno.copyFileSync, Deno.FsFile.prototype.writeSync], [
      openSync,
      copyFileSync,
      writeSync,
    ]);
  });
});

Deno.test("DenoRecorder leaves other folders alone", async () => {
  await withScratch(async (folder) => {
    Deno.mkdirSync(`${folder}/in`);
    const recording = await DenoRecorder.record(`${folder}/in`, () => {
      Deno.writeTextFileSync(`${folder}/beside`, "text");
      Deno.writeTextFileSync(`${folder}/in/a`, "text");
      return Promise.resolve();
    });
    assertEquals(recording.operations.map(({ change }) => change.kind), ["open", "write"]);
  });
});
