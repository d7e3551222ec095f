import { assert, assertEquals, assertFalse } from "@std/assert";
import { Sense, type SenseCondition } from "../../../lib/scsi/outcome/sense.ts";
import { type Attention, ATTENTIONS, UnitAttentionQueue } from "../../../lib/scsi/dispatch/unit_attention.ts";

/** Conditions whose order follows from SAM-5, 5.14, or because one invalidates the next. */
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

/** The resets, and the loss of a nexus. */
const RESETS: readonly Attention[] = [
  Sense.powerOnOccurred,
  Sense.powerOnResetOrBusDeviceResetOccurred,
  Sense.scsiBusResetOccurred,
  Sense.busDeviceResetFunctionOccurred,
  Sense.nexusLossOccurred,
];

function takeAll(queue: UnitAttentionQueue): readonly SenseCondition[] {
  const taken: SenseCondition[] = [];
  // One more than there can be: a condition that take() does not remove must not go unnoticed.
  while (!queue.isEmpty && taken.length <= ATTENTIONS.length) taken.push(queue.take()!);
  return taken;
}

Deno.test("ATTENTIONS has each condition once, in the order of SAM-5", () => {
  assertEquals(new Set(ATTENTIONS).size, ATTENTIONS.length);
  assertEquals(ATTENTIONS.filter((attention) => IN_ORDER.includes(attention)), IN_ORDER);
  assertEquals(ATTENTIONS.slice(0, RESETS.length), RESETS);
});

Deno.test("UnitAttentionQueue reports conditions by their rank, however they were established", () => {
  const queue = new UnitAttentionQueue();
  for (const attention of ATTENTIONS.toReversed()) queue.establish(attention);
  assertEquals(takeAll(queue), ATTENTIONS);
  for (const attention of [...ATTENTIONS.slice(3), ...ATTENTIONS.slice(0, 3)]) queue.establish(attention);
  assertEquals(takeAll(queue), ATTENTIONS);
});

Deno.test("UnitAttentionQueue reports each condition alone, once", () => {
  const queue = new UnitAttentionQueue();
  for (const attention of ATTENTIONS) {
    assert(queue.isEmpty);
    assertEquals(queue.take(), undefined);
    queue.establish(attention);
    queue.establish(attention);
    assertFalse(queue.isEmpty);
    assertEquals(takeAll(queue), [attention]);
  }
});

Deno.test("UnitAttentionQueue.hasReset is true for the resets and the loss of a nexus only", () => {
  for (const attention of ATTENTIONS) {
    const queue = new UnitAttentionQueue();
    queue.establish(attention);
    assertEquals(queue.hasReset, RESETS.includes(attention));
  }
});

Deno.test("UnitAttentionQueue removes a condition that the initiator knows already, and no other", () => {
  for (const attention of ATTENTIONS) {
    const queue = new UnitAttentionQueue();
    const others = ATTENTIONS.filter((other) => other !== attention);
    for (const each of ATTENTIONS) queue.establish(each);
    queue.clear(attention);
    queue.clear(attention);
    assertEquals(takeAll(queue), others);
  }
});
