import { assertEquals } from "@std/assert";
import type { LogicalUnit } from "../../../lib/scsi/logical_unit.ts";
import type { Nexus } from "../../../lib/scsi/nexus.ts";
import { MemoryStore } from "../../support/memory_store.ts";
import {
  assertFieldRefused,
  assertHex,
  bytes,
  cdb,
  makeTarget,
  makeUnit,
  openReadyNexus,
  openUnit,
  run,
} from "../fixture.ts";

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;

function thinStore(): MemoryStore {
  return new MemoryStore({ sizeBytes: MIB, canUnmap: true });
}

function openThin(): { nexus: Nexus; unit: LogicalUnit } {
  const unit = makeUnit({ store: thinStore() });
  return { nexus: openReadyNexus(makeTarget(unit)), unit };
}

Deno.test("a thin unit reports its features and limits", async () => {
  const nexus = openUnit({ store: thinStore() });
  assertHex((await run(nexus, cdb("12 01 b2 00 ff"))).data, "00 b2 00 04 0b e4 02 00");
  const limits = (await run(nexus, cdb("12 01 b0 00 ff"))).data;
  assertHex(
    limits.subarray(20, 44),
    "00 10 00 00 00 00 04 00 00 00 00 08 80 00 00 00 00 00 00 00 00 00 80 00",
  );
  assertEquals((await run(nexus, cdb("9e 10 00 00 00 00 00 00 00 00 00 00 00 20"))).data[14], 0xc0);
});

Deno.test("a thin unit with large blocks reports limits in those", async () => {
  const nexus = openUnit({ store: thinStore(), blockSizeBytes: 4096 });
  assertHex((await run(nexus, cdb("12 01 b2 00 ff"))).data, "00 b2 00 04 08 e4 02 00");
  const limits = (await run(nexus, cdb("12 01 b0 00 ff"))).data;
  assertHex(limits.subarray(28, 44), "00 00 00 00 00 00 00 00 00 00 00 00 00 00 10 00");
});

Deno.test("a unit that cannot unmap reports no unmapping", async () => {
  const { data } = await run(openUnit(), cdb("12 01 b0 00 ff"));
  assertEquals(data.subarray(20, 36), new Uint8Array(16));
  assertEquals((await run(openUnit(), cdb("9e 10 00 00 00 00 00 00 00 00 00 00 00 20"))).data[14], 0);
});

Deno.test("a write-protected thin unit reports no unmapping, and notifies its initiators", async () => {
  const { nexus, unit } = openThin();
  const isOffered = async (): Promise<number[]> => [
    (await run(nexus, cdb("12 01 b2 00 ff"))).data[5]!,
    (await run(nexus, cdb("9e 10 00 00 00 00 00 00 00 00 00 00 00 20"))).data[14]!,
  ];
  for (const [isProtected, expected] of [[true, [0, 0]], [false, [0xe4, 0xc0]]] as const) {
    unit.protect(isProtected);
    const testUnitReady = cdb("00 00 00 00 00 00");
    assertEquals((await run(nexus, testUnitReady)).outcome, "inquiryDataHasChanged");
    assertEquals((await run(nexus, testUnitReady)).outcome, "modeParametersChanged");
    assertEquals(await isOffered(), [...expected]);
  }
});

Deno.test("the Logical Block Provisioning log page counts in sets of 1 MiB, once the space is known", async () => {
  const { nexus, unit } = openThin();
  const logSense = cdb("4d 00 4c 00 00 00 00 00 ff");
  assertFieldRefused(await run(nexus, logSense), 2, 5);
  unit.updateSpace({ usedBytes: 3 * MIB, availableBytes: 5 * GIB });
  assertHex(
    (await run(nexus, logSense)).data,
    `
    8c 00 00 18
    00 01 23 08 00 00 14 00 02 00 00 00
    00 02 23 08 00 00 00 03 01 00 00 00
    `,
  );
});

Deno.test("initiators are notified once each time that space becomes short", async () => {
  const { nexus, unit } = openThin();
  const tellSpace = async (availableBytes: number): Promise<string> => {
    unit.updateSpace({ usedBytes: 0, availableBytes });
    return (await run(nexus, cdb("00"))).outcome;
  };
  assertEquals(await tellSpace(4 * GIB + MIB), "good");
  assertEquals(await tellSpace(4 * GIB), "thinProvisioningSoftThresholdReached");
  assertEquals(await tellSpace(3 * GIB), "good");
  assertEquals(await tellSpace(5 * GIB), "good");
  assertEquals(await tellSpace(1 * GIB), "thinProvisioningSoftThresholdReached");
});

Deno.test("an initiator that logs in while space is short is notified once", async () => {
  const { nexus, unit } = openThin();
  const target = makeTarget(unit);
  const attentions = async (): Promise<string[]> => {
    const next = openReadyNexus(target);
    return [(await run(next, cdb("00"))).outcome, (await run(next, cdb("00"))).outcome];
  };
  const ready = ["good", "good"];
  const told = ["thinProvisioningSoftThresholdReached", "good"];
  assertEquals(await attentions(), ready);
  unit.updateSpace({ usedBytes: 0, availableBytes: 1 * GIB });
  assertEquals([await attentions(), await attentions()], [told, told]);
  await run(nexus, cdb("00"));
  assertEquals(await selectThreshold(nexus, "00", "00 00 00 10"), "good");
  assertEquals((await attentions()).at(0), "good", "it is switched off");
  assertEquals(await selectThreshold(nexus, "80", "00 00 10 00"), "good");
  assertEquals((await attentions()).at(0), "thinProvisioningSoftThresholdReached");
  unit.protect(true);
  assertEquals(await attentions(), ready, "what cannot be written to takes no more space");
  unit.protect(false);
  unit.updateSpace({ usedBytes: 0, availableBytes: 5 * GIB });
  assertEquals(await attentions(), ready);
});

/** MODE SELECT(10) of the Logical Block Provisioning page, with ENABLED and THRESHOLD COUNT of its descriptor. */
function selectThreshold(nexus: Nexus, enabled: string, count: string): Promise<string> {
  const list = `00 00 00 00 00 00 00 00  5c 02 00 14  00 ${"00 ".repeat(11)} ${enabled} 01 00 00 ${count}`;
  const dataOut = bytes(list);
  return run(nexus, cdb(`55 10 00 00 00 00 00 00 ${dataOut.length.toString(16)}`), { dataOut })
    .then(({ outcome }) => outcome);
}

Deno.test("initiators can change the threshold and disable it", async () => {
  const { nexus, unit } = openThin();
  const tellSpace = async (availableBytes: number): Promise<string> => {
    unit.updateSpace({ usedBytes: 0, availableBytes });
    return (await run(nexus, cdb("00"))).outcome;
  };
  assertEquals(await selectThreshold(nexus, "80", "00 00 00 10"), "good");
  assertEquals(await tellSpace(17 * MIB), "good");
  assertEquals(await tellSpace(16 * MIB), "thinProvisioningSoftThresholdReached");
  assertEquals(await selectThreshold(nexus, "00", "00 00 00 10"), "good");
  assertEquals(await tellSpace(17 * MIB), "good");
  assertEquals(await tellSpace(0), "good");
});

Deno.test("a unit that cannot unmap has no threshold", async () => {
  const unit = makeUnit();
  const nexus = openReadyNexus(makeTarget(unit));
  unit.updateSpace({ usedBytes: 0, availableBytes: 0 });
  assertEquals((await run(nexus, cdb("00"))).outcome, "good");
});
