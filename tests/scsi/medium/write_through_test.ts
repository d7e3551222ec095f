import { assert, assertEquals } from "@std/assert";
import { ACCESS } from "../../../lib/scsi/dispatch/access.ts";
import { COMMANDS } from "../../../lib/scsi/dispatch/command_table.ts";
import type { Nexus } from "../../../lib/scsi/nexus.ts";
import type { LogicalUnitOptions } from "../../../lib/scsi/logical_unit_options.ts";
import { copyCdb, encodeRequest, NAAS } from "../_copy_request.ts";
import { FaultyStore } from "../../support/faulty_store.ts";
import { MemoryStore } from "../../support/memory_store.ts";
import { VolatileStore } from "../../support/volatile_store.ts";
import {
  type Blocks,
  blocksCdb,
  bytes,
  cdb,
  complete,
  FakeTask,
  makeTarget,
  makeUnit,
  openReadyNexus,
  openUnit,
  pattern,
  run,
} from "../fixture.ts";

const SIZE_BYTES = 256 * 1024;

/** A form of a command, with all of its data. */
interface Form {
  readonly block: Uint8Array;
  readonly dataOut: Uint8Array;
}

const COPY = encodeRequest({ segments: [{ source: 0, destination: 0, blocks: 8, from: 0, to: 64 }] });

function ofBlocks(name: string, dataBlocks: number, blocks: Blocks = { lba: 8, blocks: 8 }): Form {
  return { block: blocksCdb(name, blocks), dataOut: pattern(dataBlocks * 512) };
}

function withList(block: string, list: string): Form {
  return { block: cdb(block), dataOut: bytes(list) };
}

const WRITES = ["WRITE(6)", "WRITE(10)", "WRITE(12)", "WRITE(16)", "ORWRITE(16)", "WRITE ATOMIC(16)"];
const VERIFYING_WRITES = ["WRITE AND VERIFY(10)", "WRITE AND VERIFY(12)", "WRITE AND VERIFY(16)"];

/** The forms of every command that changes the medium. A command of the table without one here fails a test. */
const FORMS: Readonly<Record<string, readonly Form[]>> = {
  ...Object.fromEntries([...WRITES, ...VERIFYING_WRITES].map((name) => [name, [ofBlocks(name, 8)]])),
  "WRITE SAME(10)": [
    ofBlocks("WRITE SAME(10)", 1),
    { ...ofBlocks("WRITE SAME(10)", 1, { lba: 8, blocks: 8, flags: 0x08 }), dataOut: new Uint8Array(512) },
  ],
  "WRITE SAME(16)": [
    ofBlocks("WRITE SAME(16)", 1),
    // UNMAP, and NDOB.
    { ...ofBlocks("WRITE SAME(16)", 1, { lba: 8, blocks: 8, flags: 0x08 }), dataOut: new Uint8Array(512) },
    ofBlocks("WRITE SAME(16)", 0, { lba: 8, blocks: 8, flags: 0x09 }),
  ],
  "COMPARE AND WRITE": [{
    ...ofBlocks("COMPARE AND WRITE", 1, { lba: 8, blocks: 1 }),
    dataOut: Uint8Array.from([...new Uint8Array(512).fill(0xa5), ...pattern(512)]),
  }],
  "UNMAP": [withList(
    "42 00 00 00 00 00 00 00 18",
    "00 16 00 10 00 00 00 00 00 00 00 00 00 00 00 08 00 00 00 08 00 00 00 00",
  )],
  "FORMAT UNIT": [withList("04", "")],
  "SANITIZE OVERWRITE": [withList("48 01 00 00 00 00 00 00 05", "01 00 00 01 3c")],
  "SANITIZE BLOCK ERASE": [withList("48 02", "")],
  "EXTENDED COPY(LID1)": [{ block: copyCdb(COPY.length), dataOut: COPY }],
};

/** The outcomes of a failed flush, where it is not that of a write. */
const FAILURES: Readonly<Record<string, string>> = {
  "FORMAT UNIT": "formatCommandFailed",
  "SANITIZE OVERWRITE": "sanitizeCommandFailed",
  "SANITIZE BLOCK ERASE": "sanitizeCommandFailed",
  "EXTENDED COPY(LID1)": "thirdPartyDeviceFailure",
};

/** Commands of the class that change no block, and others whose class is that of something else. */
const CHANGES_NOTHING = ["SANITIZE EXIT FAILURE MODE"];
const OF_ANOTHER_CLASS = ["EXTENDED COPY(LID1)"];

/** Returns a store whose blocks are A5h, but for eight of the pattern at its start, all of them durable. */
async function fullStore(): Promise<VolatileStore> {
  const store = new VolatileStore(new MemoryStore({ sizeBytes: SIZE_BYTES, canUnmap: true }));
  store.writeNow(0, new Uint8Array(SIZE_BYTES).fill(0xa5));
  store.writeNow(0, pattern(8 * 512));
  await store.flush();
  return store;
}

function optionsOf(store: LogicalUnitOptions["store"], writeCache: boolean): Partial<LogicalUnitOptions> {
  return { store, writeCache, identity: { naa: NAAS[0], serialNumber: "0" } };
}

Deno.test("every command that changes the medium has a form here", () => {
  const changing = Object.entries(COMMANDS).filter(([, { access }]) => ACCESS[access].changesMedium);
  assertEquals(
    [...Object.keys(FORMS), ...CHANGES_NOTHING].toSorted(),
    [...changing.map(([name]) => name), ...OF_ANOTHER_CLASS].toSorted(),
  );
});

for (const [name, forms] of Object.entries(FORMS)) {
  Deno.test(`${name} is durable when it ends with GOOD, on a unit without a write cache`, async () => {
    for (const { block, dataOut } of forms) {
      const store = await fullStore();
      const before = store.content;
      const nexus = openUnit(optionsOf(store, false));
      assertEquals((await run(nexus, block, { dataOut })).outcome, "good");
      assert(store.content.some((byte, at) => byte !== before[at]), "the form changes nothing");
      assertEquals(store.durable, store.content);
    }
  });

  Deno.test(`${name} fails with its flush, on a unit without a write cache`, async () => {
    for (const { block, dataOut } of forms) {
      const store = new FaultyStore(await fullStore());
      const nexus = openUnit(optionsOf(store, false));
      store.inject({ operation: "flush", kind: "flushFailed" });
      const { outcome } = await run(nexus, block, { dataOut });
      assertEquals(outcome, FAILURES[name] ?? "writeError");
    }
  });
}

Deno.test("WRITE is not durable when it ends with GOOD, on a unit with a write cache", async () => {
  const store = await fullStore();
  const { block, dataOut } = FORMS["WRITE(10)"]![0]!;
  assertEquals((await run(openUnit(optionsOf(store, true)), block, { dataOut })).outcome, "good");
  assertEquals(store.durable.slice(8 * 512, 9 * 512), new Uint8Array(512).fill(0xa5));
});

Deno.test("EXTENDED COPY writes through as its destination does, whatever its source", async () => {
  const stores = [await fullStore(), await fullStore()];
  const units = stores.map((store, lun) =>
    makeUnit({ ...optionsOf(store, lun === 0), identity: { naa: NAAS[lun]!, serialNumber: `${lun}` } })
  );
  const nexus = openReadyNexus(makeTarget(...units), 2);
  const list = encodeRequest({ segments: [{ source: 0, destination: 1, blocks: 8, from: 0, to: 64 }] });
  assertEquals((await run(nexus, copyCdb(list.length), { dataOut: list })).outcome, "good");
  assertEquals(stores[1]!.durable.slice(64 * 512, 72 * 512), pattern(8 * 512));
});

Deno.test("commands that end together share a flush, on a unit without a write cache", async () => {
  const memory = new MemoryStore({ sizeBytes: SIZE_BYTES });
  const nexus = openUnit({ store: new VolatileStore(memory), writeCache: false });
  const data = { dataOut: pattern(512), pieceBytes: 512 };
  const writes = Array.from({ length: 8 }, (_, lba) => run(nexus, blocksCdb("WRITE(10)", { lba }), data));
  assertEquals((await Promise.all(writes)).map(({ outcome }) => outcome), Array(8).fill("good"));
  assertEquals(memory.flushCount, 1);
});

Deno.test("a refused write, and an empty one when all is durable, flush nothing", async () => {
  const memory = new MemoryStore({ sizeBytes: SIZE_BYTES });
  const nexus = openUnit({ store: memory, writeCache: false });
  await run(nexus, cdb("35"));
  const flushes = memory.flushCount;
  assertEquals((await run(nexus, blocksCdb("WRITE(10)", { blocks: 0 }))).outcome, "good");
  const beyond = await run(nexus, blocksCdb("WRITE(10)", { lba: SIZE_BYTES / 512 }));
  assertEquals(beyond.outcome, "logicalBlockAddressOutOfRange");
  assertEquals(memory.flushCount, flushes);
});

/** Returns WCE of the caching mode page, and V_SUP of the Extended INQUIRY Data VPD page. */
async function reportedCache(
  nexus: Nexus,
): Promise<readonly [wce: number, vSup: number]> {
  const modes = await run(nexus, cdb("1a 08 08 00 ff"));
  const inquiry = await run(nexus, cdb("12 01 86 00 ff"));
  return [modes.data[6]! & 0x04, inquiry.data[6]! & 0x01];
}

const CACHE_ATTENTIONS = ["inquiryDataHasChanged", "modeParametersChanged"];

/** Returns the unit attentions that are pending, in alphabetical order. */
async function attentionsOf(nexus: Nexus): Promise<string[]> {
  const outcomes = [];
  for (let outcome = ""; outcome !== "good"; outcomes.push(outcome)) {
    ({ outcome } = await run(nexus, cdb("00")));
  }
  return outcomes.filter((outcome) => outcome !== "good").toSorted();
}

Deno.test("a unit reports whether it has a write cache", async () => {
  assertEquals(await reportedCache(openUnit({ writeCache: false })), [0, 0]);
  assertEquals(await reportedCache(openUnit()), [4, 1]);
  const changeable = await run(openUnit({ writeCache: false }), cdb("1a 08 48 00 ff"));
  assertEquals(changeable.data[6], 0);
  const defaults = await run(openUnit({ writeCache: false }), cdb("1a 08 88 00 ff"));
  assertEquals(defaults.data[6], 0);
});

Deno.test("MODE SELECT accepts the caching page as it is, and no other WCE", async () => {
  for (const writeCache of [false, true]) {
    const nexus = openUnit({ writeCache });
    const select = async (wce: number): Promise<string> => {
      const dataOut = new Uint8Array(24);
      dataOut.set([0x08, 0x12, wce], 4);
      return (await run(nexus, cdb("15 10 00 00 18"), { dataOut })).outcome;
    };
    assertEquals(await select(writeCache ? 4 : 0), "good");
    assertEquals(await select(writeCache ? 0 : 4), "invalidFieldInParameterList");
  }
});

Deno.test("setWriteCache() notifies initiators when all that was acknowledged is durable", async () => {
  const store = await fullStore();
  const unit = makeUnit(optionsOf(store, true));
  const nexus = openReadyNexus(makeTarget(unit));
  const { block, dataOut } = FORMS["WRITE(10)"]![0]!;
  await run(nexus, block, { dataOut });
  await unit.setWriteCache(false);
  assertEquals(store.durable, store.content);
  assertEquals(await attentionsOf(nexus), CACHE_ATTENTIONS);
  assertEquals(await reportedCache(nexus), [0, 0]);
  await unit.setWriteCache(true);
  assertEquals(await attentionsOf(nexus), CACHE_ATTENTIONS);
  assertEquals(await reportedCache(nexus), [4, 1]);
});

Deno.test("setWriteCache() waits for commands under way, while later ones write through", async () => {
  const store = await fullStore();
  const unit = makeUnit(optionsOf(store, true));
  const nexus = openReadyNexus(makeTarget(unit));
  const { block, dataOut } = FORMS["WRITE(10)"]![0]!;
  const underWay = nexus.execute(0, block);
  const task = new FakeTask();
  nexus.enter(0, task);
  const changed = unit.setWriteCache(false);
  const later = { ...ofBlocks("WRITE(10)", 1, { lba: 100, blocks: 1 }) };
  assertEquals((await run(nexus, later.block, later)).outcome, "good");
  assertEquals(store.durable, store.content);
  assertEquals(await reportedCache(nexus), [4, 1]);
  assertEquals((await complete(underWay, { dataOut })).outcome, "good");
  nexus.leave(0, task);
  await changed;
  assertEquals(store.durable, store.content);
  assertEquals(await attentionsOf(nexus), CACHE_ATTENTIONS);
});

Deno.test("setWriteCache() that is taken back meanwhile changes nothing", async () => {
  const unit = makeUnit();
  const nexus = openReadyNexus(makeTarget(unit));
  await Promise.all([unit.setWriteCache(false), unit.setWriteCache(true)]);
  assertEquals((await run(nexus, cdb("00"))).outcome, "good");
  assertEquals(await reportedCache(nexus), [4, 1]);
});
