import { assert, assertEquals } from "@std/assert";
import type { LogicalUnitOptions } from "../../../lib/scsi/logical_unit_options.ts";
import type { Nexus } from "../../../lib/scsi/nexus.ts";
import { FaultyStore } from "../../support/faulty_store.ts";
import { MemoryStore } from "../../support/memory_store.ts";
import { SlowStore } from "../../support/slow_store.ts";
import {
  assertFieldRefused,
  assertHex,
  assertParameterRefused,
  blocksCdb,
  cdb,
  complete,
  makeTarget,
  makeUnit,
  openReadyNexus,
  pattern,
  type Result,
  run,
} from "../fixture.ts";
import { copyCdb, encodeRequest, NAAS, type Request } from "../_copy_request.ts";

const SIZE_BYTES = 1024 * 1024;

function copyList(nexus: Nexus, list: Uint8Array): Promise<Result> {
  return run(nexus, copyCdb(list.length), { dataOut: list });
}

function copy(nexus: Nexus, request: Request): Promise<Result> {
  return copyList(nexus, encodeRequest(request));
}

/** Opens a nexus with two units of 1 MiB. */
function openPair(
  source: Partial<LogicalUnitOptions> = {},
  destination: Partial<LogicalUnitOptions> = {},
): Nexus {
  const units = [source, destination].map((options, index) =>
    makeUnit({ identity: { naa: NAAS[index]!, serialNumber: `${index}` }, ...options })
  );
  return openReadyNexus(makeTarget(...units), 2);
}

async function write(nexus: Nexus, lun: number, lba: number, dataOut: Uint8Array): Promise<void> {
  const block = blocksCdb("WRITE(10)", { lba, blocks: dataOut.length / 512 });
  assertEquals((await complete(nexus.execute(lun, block), { dataOut })).outcome, "good");
}

async function read(nexus: Nexus, lun: number, lba: number, blocks: number): Promise<Uint8Array> {
  return (await complete(nexus.execute(lun, blocksCdb("READ(10)", { lba, blocks })))).data;
}

/** Returns the number of the segment, and the device whose status is repeated, in sense data of an aborted copy. */
function senseOf({ sense }: Result): { segment: number; source: number; destination: number } {
  assert(sense !== undefined);
  return { segment: sense[10]! << 8 | sense[11]!, source: sense[8]!, destination: sense[9]! };
}

Deno.test("EXTENDED COPY copies from unit to unit, segment by segment", async () => {
  const nexus = openPair();
  const data = pattern(1024 * 512);
  await write(nexus, 0, 0, data);
  const segments = [{ blocks: 1000, from: 0, to: 24 }, { blocks: 24, from: 1000, to: 0 }];
  assertEquals((await copy(nexus, { segments })).outcome, "good");
  assertEquals(await read(nexus, 1, 24, 1000), data.subarray(0, 1000 * 512));
  assertEquals(await read(nexus, 1, 0, 24), data.subarray(1000 * 512));
  assertEquals(await read(nexus, 1, 1024, 1), new Uint8Array(512));
});

Deno.test("EXTENDED COPY finds a unit by an NAA of 16 bytes", async () => {
  const naas = [`6${"0".repeat(30)}1`, `6${"0".repeat(30)}2`];
  const [source, destination] = naas.map((naa) => ({ identity: { naa, serialNumber: naa } }));
  const nexus = openPair(source, destination);
  const data = pattern(512);
  await write(nexus, 0, 0, data);
  assertEquals((await copy(nexus, { naas, segments: [{}] })).outcome, "good");
  assertEquals(await read(nexus, 1, 0, 1), data);
  const others = [naas[0]!, naas[1]!.slice(0, 16).replace("6", "5")];
  assertEquals((await copy(nexus, { naas: others, segments: [{}] })).outcome, "copyTargetDeviceNotReachable");
});

Deno.test("EXTENDED COPY within a unit copies the old content, even if the ranges overlap", async () => {
  const data = pattern(1200 * 512);
  for (const [from, to] of [[0, 100], [100, 0]] as const) {
    const nexus = openPair();
    await write(nexus, 0, from, data);
    assertEquals(
      (await copy(nexus, { segments: [{ destination: 0, blocks: 1200, from, to }] })).outcome,
      "good",
    );
    assertEquals(await read(nexus, 0, to, 1200), data);
  }
});

Deno.test("EXTENDED COPY between blocks of two sizes copies whole blocks of both", async () => {
  const nexus = openPair({}, { blockSizeBytes: 4096 });
  const data = pattern(16 * 512);
  await write(nexus, 0, 0, data);
  const request = { blockLengths: [512, 4096] };
  assertEquals((await copy(nexus, { ...request, segments: [{ blocks: 16, to: 1 }] })).outcome, "good");
  const copied = await complete(nexus.execute(1, blocksCdb("READ(10)", { lba: 1, blocks: 2 })));
  assertEquals(copied.data, data);
  const inBlocksOfDestination = [{ blocks: 1, to: 8, countsDestination: true }];
  assertEquals((await copy(nexus, { ...request, segments: inBlocksOfDestination })).outcome, "good");
  for (const keepsRest of [false, true]) {
    const inexact = await copy(nexus, { ...request, segments: [{ blocks: 9, keepsRest }] });
    assertEquals(inexact.outcome, "unexpectedInexactSegment");
  }
});

Deno.test("EXTENDED COPY stays sparse where the source is, and clears the old content", async () => {
  for (const [knowsHoles, canUnmap] of [[false, false], [false, true], [true, false], [true, true]]) {
    const store = new MemoryStore({ sizeBytes: SIZE_BYTES, canUnmap: canUnmap! });
    const source = new MemoryStore({ sizeBytes: SIZE_BYTES, canUnmap: knowsHoles! });
    const nexus = openPair({ store: source }, { store });
    await write(nexus, 0, 800, pattern(8 * 512));
    await write(nexus, 1, 1600, pattern(16 * 512, 9));
    const writesBefore = store.writeCount;
    assertEquals((await copy(nexus, { segments: [{ blocks: 2048 }] })).outcome, "good");
    assertEquals(await read(nexus, 1, 0, 2048), await read(nexus, 0, 0, 2048));
    // One write is the data, and one clears the old content; the rest was zero already.
    assertEquals(store.writeCount - writesBefore, 2);
    if (!canUnmap) continue;
    assertEquals(store.extentAt(0), { isMapped: false, endBytes: 800 * 512 });
    assertEquals(store.extentAt(800 * 512), { isMapped: true, endBytes: 808 * 512 });
    assertEquals(store.extentAt(808 * 512), { isMapped: false, endBytes: SIZE_BYTES });
  }
});

Deno.test("EXTENDED COPY without a list does nothing, and with too long a one is refused", async () => {
  const nexus = openPair();
  assertEquals((await run(nexus, copyCdb(0))).outcome, "good");
  assertEquals((await copy(nexus, { naas: [], segments: [] })).outcome, "good");
  assertEquals((await run(nexus, copyCdb(0x10000))).outcome, "parameterListLengthError");
});

Deno.test("EXTENDED COPY refuses truncated lists", async () => {
  const nexus = openPair();
  const whole = encodeRequest({ segments: [{}] });
  for (const length of [1, 15, 16, 47, 80, whole.length - 1]) {
    const { outcome } = await copyList(nexus, whole.slice(0, length));
    assertEquals(outcome, "parameterListLengthError", `${length}`);
  }
});

/** Returns a list with some bytes replaced. */
function altered(changes: Readonly<Record<number, number>>): Uint8Array {
  const list = encodeRequest({ segments: [{}] });
  for (const [offset, byte] of Object.entries(changes)) list[Number(offset)] = byte;
  return list;
}

Deno.test("EXTENDED COPY refuses unknown descriptors before anything is copied", async () => {
  const nexus = openPair();
  const outcomes: readonly (readonly [Readonly<Record<number, number>>, string])[] = [
    [{ 15: 0x01 }, "inlineDataLengthExceeded"],
    [{ 16: 0xe0 }, "unsupportedTargetDescriptorTypeCode"],
    [{ 80: 0x03 }, "unsupportedSegmentDescriptorTypeCode"],
  ];
  for (const [changes, expected] of outcomes) {
    assertEquals((await copyList(nexus, altered(changes))).outcome, expected, JSON.stringify(changes));
  }
  assertParameterRefused(await copyList(nexus, altered({ 1: 0x08 })), 1, 4);
  assertParameterRefused(await copyList(nexus, altered({ 1: 0x18 })), 0);
  assertParameterRefused(await copyList(nexus, altered({ 23: 21 })), 23);
  assertParameterRefused(await copyList(nexus, altered({ 46: 0x10 })), 45);
  assertParameterRefused(await copyList(nexus, altered({ 83: 0x19 })), 82);
});

Deno.test("EXTENDED COPY refuses more descriptors than its reported limits", async () => {
  const nexus = openPair();
  const naas = Array.from({ length: 17 }, () => NAAS[0]);
  const segments = Array.from({ length: 257 }, () => ({}));
  assertEquals((await copy(nexus, { naas, segments: [{}] })).outcome, "tooManyTargetDescriptors");
  assertEquals((await copy(nexus, { naas: [NAAS[0]], segments })).outcome, "tooManySegmentDescriptors");
  assertEquals((await copy(nexus, { naas, segments })).outcome, "parameterListLengthError");
});

Deno.test("EXTENDED COPY ends at the first segment that fails, and reports its number and the reason", async () => {
  const nexus = openPair();
  const data = pattern(512);
  await write(nexus, 0, 0, data);
  const beyond = await copy(nexus, { segments: [{ to: 5 }, { to: 2048 }, { to: 6 }] });
  assertEquals([beyond.outcome, senseOf(beyond)], ["copyAborted", {
    segment: 1,
    source: 0,
    destination: 18,
  }]);
  assertHex(beyond.sense!.subarray(18), "02 70 00 05 00 00 00 00 0a 00 00 00 00 21 00 00 00 00 00");
  assertEquals(await read(nexus, 1, 5, 1), data);
  assertEquals(await read(nexus, 1, 6, 1), new Uint8Array(512));
  const nowhere = await copy(nexus, { segments: [{}, { destination: 2 }] });
  assertEquals([nowhere.outcome, senseOf(nowhere).segment], ["unreachableCopyTarget", 1]);
});

Deno.test("EXTENDED COPY reaches only units that the initiator is logged in to", async () => {
  const nexus = openPair();
  const stranger = await copy(nexus, { naas: [NAAS[0], "3fffffffffffffff"], segments: [{}] });
  assertEquals(stranger.outcome, "copyTargetDeviceNotReachable");
  const notADisk = encodeRequest({ segments: [{}] });
  notADisk[49] = 0x01;
  assertEquals((await copyList(nexus, notADisk)).outcome, "incorrectCopyTargetDeviceType");
});

Deno.test("EXTENDED COPY reaches the units of the initiator's other nexuses while these exist", async () => {
  const [here, there] = NAAS.map((naa) => makeTarget(makeUnit({ identity: { naa, serialNumber: naa } })));
  const other = openReadyNexus(there!);
  const others = [other];
  const nexus = here!.openNexus("iqn.2007-01.tld.host:client,i,0x400001370000", { others: () => others });
  await run(nexus, cdb("03"));
  await write(nexus, 0, 0, pattern(512));
  assertEquals((await copy(nexus, { segments: [{}] })).outcome, "good");
  assertEquals(await read(other, 0, 0, 1), pattern(512));
  others.length = 0;
  assertEquals((await copy(nexus, { segments: [{}] })).outcome, "copyTargetDeviceNotReachable");
});

Deno.test("EXTENDED COPY does not write to a write-protected unit", async () => {
  const nexus = openPair({}, { readOnly: true });
  const result = await copy(nexus, { segments: [{}] });
  assertEquals([result.outcome, senseOf(result)], [
    "thirdPartyDeviceFailure",
    { segment: 0, source: 0, destination: 18 },
  ]);
  assertHex(result.sense!.subarray(18, 22), "02 70 00 07");
});

Deno.test("EXTENDED COPY does not write to what another initiator has reserved", async () => {
  const units = NAAS.map((naa) => makeUnit({ identity: { naa, serialNumber: naa } }));
  const target = makeTarget(...units);
  const nexus = openReadyNexus(target, 2);
  const other = target.openNexus("iqn.2007-01.tld.host:other,i,0x400001370000");
  await complete(other.execute(1, cdb("03")));
  assertEquals((await complete(other.execute(1, cdb("16 00 00 00 00")))).outcome, "good");
  const result = await copy(nexus, { segments: [{}] });
  assertEquals(result.outcome, "thirdPartyDeviceFailure");
  assertHex(result.sense!.subarray(18), "18");
  assertEquals((await complete(other.execute(1, cdb("17 00 00 00 00")))).outcome, "good");
  assertEquals((await copy(nexus, { segments: [{}] })).outcome, "good");
});

Deno.test("EXTENDED COPY reports a failure of the medium, and the device that failed", async () => {
  const store = new FaultyStore(new MemoryStore({ sizeBytes: SIZE_BYTES }));
  const nexus = openPair({ store });
  store.inject({ operation: "read", kind: "readFailed" });
  const result = await copy(nexus, { segments: [{}] });
  assertEquals([result.outcome, senseOf(result).source], ["thirdPartyDeviceFailure", 18]);
  assertHex(result.sense!.subarray(18, 22), "02 70 00 03");
});

Deno.test("EXTENDED COPY that is aborted copies nothing more", async () => {
  const store = new MemoryStore({ sizeBytes: SIZE_BYTES });
  const nexus = openPair({}, { store });
  await write(nexus, 0, 0, pattern(2048 * 512));
  const list = encodeRequest({ segments: [{ blocks: 2048 }] });
  const operation = nexus.execute(0, copyCdb(list.length));
  assert(operation.kind === "dataOut");
  operation.writeNow(0, list);
  const later = operation.finish(list.length);
  assert(later.kind === "later");
  const status = cdb("84 00 07 00 00 00 00 00 00 00 00 00 00 ff");
  assertEquals((await run(nexus, status)).data[4], 0x00);
  assertEquals((await copy(nexus, { segments: [{}] })).outcome, "operationInProgress");
  const writesBefore = store.writeCount;
  later.cancel!();
  assertEquals((await complete(later)).outcome, "copyAborted");
  assert(store.writeCount - writesBefore <= 1, `${store.writeCount - writesBefore} pieces were written`);
  assertEquals((await run(nexus, status)).data[4], 0x02);
});

Deno.test("EXTENDED COPY neither reads nor writes blocks that an uninterrupted command has", async () => {
  const data = pattern(100 * 512);
  for (const [lun, lba] of [[0, 1], [0, 100], [1, 2], [1, 101]] as const) {
    const units = NAAS.map((naa) => makeUnit({ identity: { naa, serialNumber: naa } }));
    const nexus = openReadyNexus(makeTarget(...units), 2);
    await write(nexus, 0, 1, data);
    const { ranges } = units[lun]!;
    const hold = await ranges.lock(lba * 512, 512).hold;
    let isOver = false;
    const result = copy(nexus, { segments: [{ blocks: 100, from: 1, to: 2 }] }).finally(() => isOver = true);
    for (let turn = 0; turn < 100; turn++) await Promise.resolve();
    assertEquals(isOver, false, `LUN ${lun}, block ${lba}`);
    ranges.release(hold!);
    assertEquals((await result).outcome, "good");
    assertEquals(await read(nexus, 1, 2, 100), data);
    assert(units.every((unit) => unit.ranges.isIdle));
  }
});

Deno.test("EXTENDED COPY fails when one of its units is removed, or the session with it ends", async () => {
  for (const lun of [0, 1]) {
    for (const ending of ["removed", "closed"] as const) {
      const stores = NAAS.map(() => new SlowStore(new MemoryStore({ sizeBytes: SIZE_BYTES })));
      const units = NAAS.map((naa, index) =>
        makeUnit({ identity: { naa, serialNumber: naa }, store: stores[index]! })
      );
      // The units belong to two targets: the session with one can end while the other copies.
      const targets = units.map((unit) => makeTarget(unit));
      const other = openReadyNexus(targets[lun]!);
      const nexus = targets[1 - lun]!.openNexus("iqn.2007-01.tld.host:client,i,0x400001370000", {
        others: () => [other],
      });
      await run(nexus, cdb("03"));
      const result = copy(nexus, { segments: [{ blocks: 2048 }] });
      for (let turn = 0; turn < 20; turn++) await Promise.resolve();
      const left = ending === "removed" ? targets[lun]!.remove(0) : void other.close();
      while (stores.some(({ pending }) => pending.length > 0)) {
        for (const store of stores) store.releaseAll();
        for (let turn = 0; turn < 20; turn++) await Promise.resolve();
      }
      await left;
      assertEquals((await result).outcome, "copyTargetDeviceNotReachable");
      assert(units.every(({ ranges }) => ranges.isIdle));
    }
  }
});

Deno.test("EXTENDED COPY is BUSY while as many copies run as the limit allows, listed or not", async () => {
  const slow = new SlowStore(new MemoryStore({ sizeBytes: SIZE_BYTES }));
  const nexus = openPair({ store: slow });
  const begin = (listId: number): Promise<Result> =>
    copy(nexus, { listId, listIdUsage: listId === 0 ? 0b11 : 0b00, segments: [{ blocks: 2048 }] });
  for (let round = 0; round < 2; round++) {
    const copies = [0, 0, 1, 2, 3, 4, 5, 6].map(begin);
    for (const listId of [0, 7]) assertEquals((await begin(listId)).outcome, "8");
    let areOver = false;
    const results = Promise.all(copies).finally(() => areOver = true);
    while (!areOver) {
      slow.releaseAll();
      for (let turn = 0; turn < 20; turn++) await Promise.resolve();
    }
    assertEquals((await results).map(({ outcome }) => outcome), copies.map(() => "good"));
  }
});

const COPY_STATUS = cdb("84 00 07 00 00 00 00 00 00 00 00 00 00 ff");
const FAILURE_DETAILS = cdb("84 04 07 00 00 00 00 00 00 00 00 00 00 ff");

Deno.test("RECEIVE COPY STATUS reports the progress of a completed copy once", async () => {
  const nexus = openPair();
  assertFieldRefused(await run(nexus, COPY_STATUS), 2);
  await copy(nexus, { segments: [{ blocks: 3 }, {}] });
  assertHex((await run(nexus, COPY_STATUS)).data, "00 00 00 08 01 00 02 00 00 00 08 00");
  assertFieldRefused(await run(nexus, COPY_STATUS), 2);
  await copy(nexus, { segments: [{}, { to: 2048 }] });
  assertHex((await run(nexus, COPY_STATUS)).data, "00 00 00 08 02 00 01 00 00 00 02 00");
});

Deno.test("RECEIVE COPY STATUS knows nothing of copies whose results need not be kept", async () => {
  const nexus = openPair();
  for (const request of [{ listIdUsage: 0b10 }, { listIdUsage: 0b11, listId: 0 }]) {
    assertEquals((await copy(nexus, { ...request, segments: [{}] })).outcome, "good");
    assertFieldRefused(await run(nexus, COPY_STATUS), 2);
  }
});

Deno.test("RECEIVE COPY STATUS knows nothing of copies before a reset", async () => {
  const nexus = openPair();
  await copy(nexus, { segments: [{}] });
  nexus.manage("logicalUnitReset", 0);
  await run(nexus, cdb("00"));
  assertFieldRefused(await run(nexus, COPY_STATUS), 2);
});

Deno.test("RECEIVE COPY FAILURE DETAILS repeats the details of a failure until all are sent", async () => {
  const nexus = openPair();
  assertHex((await run(nexus, FAILURE_DETAILS)).data, "00 00 00 00");
  const { sense } = await copy(nexus, { segments: [{ to: 2048 }] });
  const short = Uint8Array.from(FAILURE_DETAILS);
  short[13] = 4;
  assertHex((await run(nexus, short)).data, "00 00 00 5d");
  const { data } = await run(nexus, FAILURE_DETAILS);
  assertHex(data.subarray(0, 4), "00 00 00 5d");
  assertHex(data.subarray(56, 60), "02 00 00 25");
  assertEquals(data.subarray(60), Uint8Array.from(sense!));
  assertHex((await run(nexus, FAILURE_DETAILS)).data, "00 00 00 00");
});

Deno.test("RECEIVE COPY OPERATING PARAMETERS reports the limits", async () => {
  const { data } = await run(openPair(), cdb("84 03 00 00 00 00 00 00 00 00 00 00 00 ff"));
  assertHex(
    data,
    `
    00 00 00 2a 01 00 00 00 00 10 01 00 00 00 1e 00 00 00 00 00 00 00 00 00
    00 00 00 00 00 00 00 00 00 00 00 08 08 09 00 00 00 00 00 02 02 e4
    `,
  );
});
