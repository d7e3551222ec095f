/** Journals of atomic writes in a server: what it says of them, and the space that they take. */
import { assertEquals } from "@std/assert";
import { atomicJournalOf, journalsFolderOf, workerPlaceOf } from "../../../lib/provision/state_folder.ts";
import { RECORDED_BYTES } from "../../../lib/scsi/medium/atomic_limits.ts";
import { TargetServer } from "../../../lib/server/target/target_server.ts";
import { BODY_OFFSET, encodeBody, encodeHeader, recordBytesMax } from "../../../lib/store/atomic_record.ts";
import { withScratch } from "../../provision/scratch.ts";
import { Initiator } from "../../support/initiator.ts";
import { testUnitReady, write10, writeAtomic16 } from "../../support/initiator_cdb.ts";
import { ScsiStatus } from "../../support/initiator_sense.ts";
import { KeptLog, makeServed, pathOf, type Served } from "../_serving.ts";

/** The journal of a target's backing file, as it is to be found, and the path of both. */
function journalOf(
  served: Served,
  name: string,
  folder: string,
): { journal: string; path: string; naa: string } {
  const path = pathOf(served, name);
  const { naa } = served.identities.get(path)!;
  Deno.mkdirSync(journalsFolderOf(workerPlaceOf(folder)), { recursive: true });
  return { journal: atomicJournalOf(workerPlaceOf(folder), naa), path, naa };
}

/** The record of a write of 2s over zeros, as a file. */
function recordOf(naa: string): Uint8Array<ArrayBuffer> {
  const body = encodeBody([{ offset: 0, old: new Uint8Array(8192), fresh: new Uint8Array(8192).fill(2) }]);
  const bytes = new Uint8Array(BODY_OFFSET + body.length);
  bytes.set(encodeHeader(naa.toLowerCase(), body, 1));
  bytes.set(body, BODY_OFFSET);
  return bytes;
}

/** Starts and stops a server, and returns what it has logged but for its usual words. */
async function warningsOf(served: Served): Promise<string[]> {
  const log = new KeptLog();
  const server = TargetServer.start({ ...served, log });
  await server.stop();
  return log.lines.filter((line) => line.startsWith("warning"));
}

Deno.test("a server has space for an atomic write to each LUN that can be written, from its start", () =>
  withScratch(async (folder) => {
    const served = makeServed(folder);
    const [a, b] = [journalOf(served, "a", folder), journalOf(served, "b", folder)];
    const targets = served.config.targets.map((target) => ({ ...target, readOnly: target.name === "b" }));
    assertEquals(await warningsOf({ ...served, config: { ...served.config, targets } }), []);
    const { size, blocks } = Deno.statSync(a.journal);
    assertEquals([size, blocks! * 512 >= size], [BODY_OFFSET + recordBytesMax(RECORDED_BYTES), true]);
    assertEquals(
      [...Deno.readDirSync(`${folder}/.iscsi`)].some(({ name }) => b.journal.endsWith(name)),
      false,
    );
  }));

Deno.test("a server without space for journals says so, once for each LUN, and serves", () =>
  withScratch(async (folder) => {
    const served = makeServed(folder);
    const original = Deno.FsFile.prototype.writeSync;
    Deno.FsFile.prototype.writeSync = () => {
      throw new Error("No space left on device (os error 28)");
    };
    try {
      const warnings = await warningsOf(served);
      assertEquals(warnings.length, 2);
      const { journal } = journalOf(served, "a", folder);
      assertEquals(
        warnings[0],
        `warning: Cannot allocate journal "${journal}": No space left on device (os error 28); ` +
          "atomic writes fail while the file system is full",
      );
    } finally {
      Deno.FsFile.prototype.writeSync = original;
    }
  }));

Deno.test("a server says what it has found in a journal, and what that means", () =>
  withScratch(async (folder) => {
    const served = makeServed(folder);
    const { journal, path, naa } = journalOf(served, "a", folder);
    const disk = Deno.readFileSync(path);
    const damaged = recordOf(naa);
    damaged[100]! ^= 1;
    const cases:
      readonly (readonly [found: Uint8Array<ArrayBuffer>, first: number, says: string, keeps: boolean])[] = [
        [recordOf(naa), 2, "Undid an interrupted atomic write to", false],
        [recordOf(naa).subarray(0, -1), 0, "Ignored an incomplete record in", false],
        [recordOf(naa), 7, "Did not undo an atomic write to", true],
        [damaged, 2, "Cannot read journal", true],
      ];
    for (const [found, first, says, keeps] of cases) {
      Deno.writeFileSync(journal, found);
      disk[0] = first;
      disk.fill(first, 0, 512);
      Deno.writeFileSync(path, disk);
      const warnings = await warningsOf(served);
      assertEquals(
        [warnings.length, warnings[0]!.startsWith(`warning: ${says} "`)],
        [1, true],
        warnings.join(),
      );
      assertEquals([warnings[0]!.includes(`"${path}"`), warnings[0]!.includes(`${journal}.kept"`)], [
        true,
        keeps,
      ]);
      assertEquals(Deno.readFileSync(path)[0], first === 2 && !keeps ? 0 : first);
      assertEquals(await warningsOf(served), [], "it says so once");
    }
  }));

Deno.test("after SANITIZE or FORMAT UNIT no file of the server holds what was on the disk", () =>
  withScratch(async (folder) => {
    const served = makeServed(folder);
    const server = TargetServer.start({ ...served, log: new KeptLog() });
    const initiator = await Initiator.connect(server.addresses[0]!.port);
    await initiator.login({ targetName: served.config.targets[0]!.iscsiName });
    await initiator.command({ cdb: testUnitReady() });
    const secret = new TextEncoder().encode("SECRET!!".repeat(1024));
    const { journal } = journalOf(served, "a", folder);
    const erasing = [
      { cdb: Uint8Array.of(0x48, 0x02, 0, 0, 0, 0, 0, 0, 0, 0) },
      { cdb: Uint8Array.of(0x48, 0x01, 0, 0, 0, 0, 0, 0, 5, 0), write: Uint8Array.of(1, 0, 0, 1, 0xaa) },
      { cdb: Uint8Array.of(0x04, 0, 0, 0, 0, 0) },
      { cdb: Uint8Array.of(0x04, 0x10, 0, 0, 0, 0), write: Uint8Array.of(0, 0x88, 0, 0, 0, 1, 0, 1, 0xaa) },
    ];
    for (const command of erasing) {
      for (
        const writing of [
          { cdb: write10(0, 16), write: secret },
          { cdb: writeAtomic16(0, 16), write: new Uint8Array(8192) },
        ]
      ) assertEquals((await initiator.command(writing)).status, ScsiStatus.good);
      assertEquals(new TextDecoder().decode(Deno.readFileSync(journal)).includes("SECRET!!"), true);
      assertEquals((await initiator.command(command)).status, ScsiStatus.good);
      for (const path of filesIn(folder, `${folder}/.iscsi`)) {
        assertEquals(new TextDecoder().decode(Deno.readFileSync(path)).includes("SECRET!!"), false, path);
      }
    }
    await initiator.close();
    await server.stop();
  }));

function filesIn(...folders: readonly string[]): string[] {
  return folders.flatMap((folder) =>
    [...Deno.readDirSync(folder)].filter(({ isFile }) => isFile).map(({ name }) => `${folder}/${name}`)
  );
}
