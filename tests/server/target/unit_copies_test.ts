import { assertEquals, assertRejects } from "@std/assert";
import { delay } from "../../../lib/base/delay.ts";
import { copyDisk } from "../../../lib/provision/copy/copy_disk.ts";
import { SparseFile } from "../../../lib/provision/copy/destinations.ts";
import { OpenFile, PreservedFiles } from "../../../lib/provision/copy/open_file.ts";
import { TargetServer } from "../../../lib/server/target/target_server.ts";
import type { CopyFiles } from "../../../lib/server/target/unit_copies.ts";
import type { HolePuncher } from "../../../lib/store/hole_puncher.ts";
import { chunksOf } from "../../../lib/store/copy_before_write.ts";
import { withScratch } from "../../provision/scratch.ts";
import { Initiator } from "../../support/initiator.ts";
import { testUnitReady, write10 } from "../../support/initiator_cdb.ts";
import { Opcode } from "../../support/initiator_pdu.ts";
import { scsiCommand } from "../../support/initiator_request.ts";
import { numbered } from "../../support/exchanges.ts";
import { History, RecordWriter, verifyCopy } from "../../support/record_writers.ts";
import { numberFromEnvironment, Random } from "../../support/seeded_random.ts";
import { SLOT_BYTES } from "../../support/writing_commands.ts";
import { FILE_BYTES, KeptLog, makeServed, pathOf } from "../_serving.ts";

const WRITERS = 8;
const UNIT = { target: "a", lun: 0 };

/** Writes zeros in place of holes, which takes no program. */
function zeroPuncher(path: string): HolePuncher {
  return {
    punch: (ranges) => {
      using file = Deno.openSync(path, { write: true });
      for (const { offset, lengthBytes } of ranges) {
        file.seekSync(offset, Deno.SeekMode.Start);
        file.writeSync(new Uint8Array(lengthBytes));
      }
      return Promise.resolve("punched");
    },
  };
}

async function withServer(
  test: (server: TargetServer, path: string, folder: string) => Promise<void>,
): Promise<void> {
  await withScratch(async (folder) => {
    Deno.mkdirSync(`${folder}/.iscsi`);
    const served = makeServed(folder);
    const server = TargetServer.start({ ...served, log: new KeptLog(), puncherOf: zeroPuncher });
    try {
      await test(server, pathOf(served, "a"), folder);
    } finally {
      await server.stop();
    }
  });
}

function makeFiles(folder: string, number: number): { keep: string; map: string; keptBytesMax: number } {
  const files = { keep: `${folder}/keep-${number}`, map: `${folder}/map-${number}`, keptBytesMax: Infinity };
  Deno.writeFileSync(files.keep, new Uint8Array());
  Deno.truncateSync(files.keep, FILE_BYTES);
  Deno.writeFileSync(files.map, new Uint8Array(chunksOf(FILE_BYTES)));
  return files;
}

/** Copies a served LUN as the command does, with pauses at random places. */
async function copyUnit(
  server: TargetServer,
  { path, folder, number, random, isStream, onBegun }: {
    path: string;
    folder: string;
    number: number;
    random: Random;
    isStream: boolean;
    onBegun: () => void;
  },
): Promise<Uint8Array> {
  const files = makeFiles(folder, number);
  const copyPath = isStream ? `${folder}/copy-${number}` : files.keep;
  await beginCopy(server, number, files);
  onBegun();
  {
    using destination = Deno.openSync(copyPath, { write: true, create: true });
    destination.truncateSync(FILE_BYTES);
    using source = new OpenFile(path);
    using preserved = new PreservedFiles(files, !isStream, FILE_BYTES);
    await copyDisk({
      source,
      sizeBytes: FILE_BYTES,
      extents: undefined,
      preserved,
      destination: new SparseFile(destination, () => {}),
      isGentle: true,
      pace: () => delay(random.below(3)),
      onProgress: () => {},
      signal: new AbortController().signal,
    });
  }
  assertEquals(await server.copies.end(number), null);
  const copy = Deno.readFileSync(copyPath);
  for (const used of new Set([files.keep, files.map, copyPath])) Deno.removeSync(used);
  return copy;
}

/** Begins a copy. The LUN cannot be copied while it is erased. */
async function beginCopy(server: TargetServer, number: number, files: CopyFiles): Promise<void> {
  for (;;) {
    try {
      return await server.copies.begin(number, server.unitOf(UNIT), files, undefined);
    } catch (error) {
      if (!(error instanceof Error && error.message === "it is being erased; try again later")) throw error;
      await delay(1);
    }
  }
}

function sumOf(writers: readonly RecordWriter[]): number {
  return writers.reduce((sum, { count }) => sum + count, 0);
}

async function connect(server: TargetServer, number: number): Promise<Initiator> {
  const initiator = await Initiator.connect(server.addresses[0]!.port);
  await initiator.login({
    targetName: "iqn.2002-08.info.netmanager:a",
    initiatorName: `iqn.2000-01.test:writer-${number}`,
    isid: Uint8Array.of(0x80, 0, 0, 0, 0, number),
  });
  await initiator.command({ cdb: testUnitReady() });
  return initiator;
}

Deno.test("UnitCopies: every copy is the disk at one point of the order of acknowledgements", async () => {
  const seed = numberFromEnvironment("COPY_SEED", Date.now() >>> 0);
  const copies = numberFromEnvironment("COPY_COUNT", 15);
  const random = new Random(seed);
  const slots = FILE_BYTES / SLOT_BYTES / WRITERS;
  await withServer(async (server, path, folder) => {
    const history = new History();
    const initiators = await Promise.all(
      Array.from({ length: WRITERS }, (_, number) => connect(server, number)),
    );
    const writers = initiators.map((initiator, number) =>
      new RecordWriter(initiator, { history, random, number, firstSlot: number * slots, slots, erases: true })
    );
    const running = writers.map((writer) => writer.run());
    for (const work of running) work.catch(() => {});
    try {
      const before = sumOf(writers);
      for (let number = 1; number <= copies; number++) {
        const from = history.next();
        let to = 0;
        const onBegun = (): void => void (to = history.next());
        const options = { path, folder, number, random, isStream: random.oneIn(2), onBegun };
        const copy = await copyUnit(server, options);
        try {
          verifyCopy(copy, writers, { from, to });
        } catch (error) {
          throw new Error(`COPY_SEED=${seed}, copy ${number}`, { cause: error });
        }
      }
      // A single short copy on a busy machine may see none of them.
      assertEquals(sumOf(writers) > before, true, "no writer went on");
    } finally {
      for (const writer of writers) writer.stop();
      await Promise.all(running);
      for (const initiator of initiators) await initiator.close();
    }
  });
});

Deno.test("UnitCopies.begin() refuses a second copy of a LUN, and takes one after the first", async () => {
  await withServer(async (server, _path, folder) => {
    const unit = server.unitOf(UNIT);
    await server.copies.begin(1, unit, makeFiles(folder, 1), undefined);
    const error = await assertRejects(
      () => server.copies.begin(2, unit, makeFiles(folder, 2), undefined),
      Error,
    );
    assertEquals(error.message, "it is being copied; try again later");
    assertEquals(await server.copies.end(1), null);
    await server.copies.begin(3, unit, makeFiles(folder, 3), undefined);
    assertEquals(await server.copies.end(3), null);
    assertEquals(await server.copies.end(3), "it has ended already");
  });
});

Deno.test("UnitCopies.hold() refuses a LUN that is not ready, which another server may write", async () => {
  await withScratch(async (folder) => {
    Deno.mkdirSync(`${folder}/.iscsi`);
    const served = makeServed(folder);
    Deno.removeSync(pathOf(served, "a"));
    const server = TargetServer.start({ ...served, log: new KeptLog() });
    for (const work of [() => server.copies.hold(1, server.unitOf(UNIT)), () => begin(server, folder)]) {
      await assertRejects(work, Error, "Cannot open");
    }
    await server.stop();
  });
});

function begin(server: TargetServer, folder: string): Promise<void> {
  return server.copies.begin(2, server.unitOf(UNIT), makeFiles(folder, 2), undefined);
}

Deno.test("UnitCopies.ended() has the reason when the LUN is closed", async () => {
  let ended: Promise<string | null> | undefined;
  await withServer(async (server, _path, folder) => {
    await server.copies.begin(1, server.unitOf(UNIT), makeFiles(folder, 1), undefined);
    ended = server.copies.ended(1);
  });
  assertEquals(await ended, "its LUN was closed");
});

Deno.test("UnitCopies.hold() lets no command at the medium end before unhold()", async () => {
  await withServer(async (server) => {
    const random = new Random(1);
    const initiator = await connect(server, 1);
    const history = new History();
    const writer = new RecordWriter(initiator, { history, random, number: 0, firstSlot: 0, slots: 16 });
    const running = writer.run();
    await server.copies.hold(1, server.unitOf(UNIT));
    const { count } = writer;
    await delay(50);
    assertEquals(writer.count - count <= 1, true);
    assertEquals(server.copies.unhold(1), true);
    assertEquals(server.copies.unhold(1), false);
    writer.stop();
    await running;
    await initiator.close();
  });
});

Deno.test("UnitCopies.begin() waits for a write that has begun", async () => {
  await withServer(async (server, _path, folder) => {
    const initiator = await connect(server, 1);
    // Some of its data arrives, and the rest does not.
    await initiator.send(scsiCommand({
      ...numbered(initiator),
      isFinal: true,
      reads: false,
      writes: true,
      lun: 0,
      expectedLength: 1024 * 1024,
      cdb: write10(0, 2048),
      data: new Uint8Array(4096).fill(9),
    }));
    assertEquals((await initiator.receive()).opcode, Opcode.readyToTransfer);
    let hasBegun = false;
    const begun = server.copies.begin(1, server.unitOf(UNIT), makeFiles(folder, 1), undefined)
      .then(() => hasBegun = true);
    await delay(50);
    assertEquals(hasBegun, false);
    await initiator.close();
    await begun;
    assertEquals(await server.copies.end(1), null);
  });
});
