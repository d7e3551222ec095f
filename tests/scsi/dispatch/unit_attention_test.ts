import { assert, assertEquals, assertFalse } from "@std/assert";
import { Sense, type SenseCondition } from "../../../lib/scsi/outcome/sense.ts";
import { type Attention, UnitAttentionQueue } from "../../../lib/scsi/dispatch/unit_attention.ts";

const IN_ORDER: readonly Attention[] = [
  Sense.powerOnOccurred,
  Sense.powerOnResetOrBusDeviceResetOccurred,
  Sense.scsiBusResetOccurred,
  Sense.busDeviceResetFunctionOccurred,
  Sense.reportedLunsDataHasChanged,
  Sense.inquiryDataHasChanged,
  Sense.capacityDataHasChanged,
  Sense.modeParametersChanged,
  Sense.commandsClearedByAnotherInitiator,
  Sense.commandsClearedByProtocolEvent,
  Sense.deferredWriteError,
];

function takeAll(queue: UnitAttentionQueue): readonly SenseCondition[] {
  const taken: SenseCondition[] = [];
  while (!queue.isEmpty && taken.length < 11) taken.push(queue.take()!);
  return taken;
}

Deno.test("UnitAttentionQueue tells of conditions by their rank, however they were established", () => {
  const queue = new UnitAttentionQueue();
  for (const attention of IN_ORDER.toReversed()) queue.establish(attention);
  assertEquals(takeAll(queue), IN_ORDER);
  for (const attention of [...IN_ORDER.slice(3), ...IN_ORDER.slice(0, 3)]) queue.establish(attention);
  assertEquals(takeAll(queue), IN_ORDER);
});

Deno.test("UnitAttentionQueue tells of each condition once", () => {
  const queue = new UnitAttentionQueue();
  assert(queue.isEmpty);
  assertEquals(queue.take(), undefined);
  queue.establish(Sense.powerOnOccurred);
  queue.establish(Sense.powerOnOccurred);
  assertFalse(queue.isEmpty);
  assertEquals(takeAll(queue), [Sense.powerOnOccurred]);
});

Deno.test("UnitAttentionQueue forgets what the initiator knows already", () => {
  const queue = new UnitAttentionQueue();
  queue.establish(Sense.reportedLunsDataHasChanged);
  queue.establish(Sense.capacityDataHasChanged);
  queue.clear(Sense.reportedLunsDataHasChanged);
  queue.clear(Sense.powerOnOccurred);
  assertEquals(takeAll(queue), [Sense.capacityDataHasChanged]);
});
