import { assertEquals, assertThrows } from "@std/assert";
import type { TextRequest } from "../../../lib/iscsi/pdu/initiator_pdus.ts";
import { Limits } from "../../../lib/iscsi/limits.ts";
import { Negotiation } from "../../../lib/iscsi/negotiation/negotiation.ts";
import { isRejection } from "../../../lib/iscsi/pdu/protocol_error.ts";
import { RejectReason } from "../../../lib/iscsi/pdu/reject_reason.ts";
import { TextBudget } from "../../../lib/iscsi/negotiation/text_budget.ts";
import { TextNegotiation } from "../../../lib/iscsi/negotiation/text_negotiation.ts";
import { RESERVED_TAG } from "../../../lib/iscsi/pdu/header.ts";

const ROOM = 100;

/** Exchanges of one connection, while others keep so much that there is room for `ROOM` bytes. */
function beside(): { text: TextNegotiation; keptBytes: () => number; others: TextBudget } {
  const others = new TextBudget();
  const othersBytes = Limits.textBudgetBytes - ROOM;
  others.change(0, othersBytes);
  const text = new TextNegotiation({
    negotiation: new Negotiation(),
    overlooked: () => {},
    textBudget: others,
    sendTargets: (value) => [["TargetName", value.repeat(10)]],
  });
  return { text, keptBytes: () => others.bytes - othersBytes, others };
}

function request(text: string, fields: Partial<TextRequest> = {}): TextRequest {
  return {
    kind: "textRequest",
    immediate: true,
    final: true,
    continued: false,
    initiatorTaskTag: 1,
    targetTransferTag: RESERVED_TAG,
    cmdSN: 1,
    expStatSN: 1,
    data: new TextEncoder().encode(text),
    ...fields,
  };
}

function assertNoRoom(perform: () => unknown): void {
  const error = assertThrows(perform);
  assertEquals(isRejection(error) && error.response.reason, RejectReason.longOperationReject);
}

Deno.test("the beginning of a request is kept while there is room, and not any longer than it takes", () => {
  const { text, keptBytes } = beside();
  const begin = { final: false, continued: true };
  const { targetTransferTag } = text.receive(request("X".repeat(60), begin), 512);
  assertEquals(keptBytes(), 60);
  assertNoRoom(() => text.receive(request("X".repeat(60), { ...begin, targetTransferTag }), 512));
  assertEquals(keptBytes(), 0, "the exchange is over");
  const again = text.receive(request("X-", begin), 512);
  const rest = request("a=1\0", { targetTransferTag: again.targetTransferTag });
  assertEquals(new TextDecoder().decode(text.receive(rest, 512).data), "X-a=NotUnderstood\0");
  assertEquals(keptBytes(), 0);
});

Deno.test("the rest of an answer is kept while there is room, and not any longer than it takes", () => {
  const { text, keptBytes, others } = beside();
  const long = request("SendTargets=0123456789\0");
  assertNoRoom(() => text.receive(long, 64));
  assertEquals(keptBytes(), 0);
  // It fits into one PDU, and is not kept at all.
  assertEquals(text.receive(long, 512).final, true);
  others.change(200, 0);
  const before = others.bytes;
  let reply = text.receive(long, 64);
  // The answer, and the key that the exchange has been about.
  assertEquals([reply.continued, others.bytes - before], [true, 112 + 128]);
  reply = text.receive(request("", { targetTransferTag: reply.targetTransferTag }), 64);
  assertEquals([reply.final, others.bytes], [true, before]);
  text.receive(long, 64);
  text.abandon();
  assertEquals(others.bytes, before);
});

Deno.test("the keys of an exchange that goes on count as memory, and an exchange that is over keeps none", () => {
  const { text, keptBytes, others } = beside();
  others.change(1000, 0);
  const before = keptBytes();
  const begin = text.receive(request("X-a=1\0", { final: false }), 512);
  assertEquals(keptBytes() - before, 128);
  const { targetTransferTag } = begin;
  assertEquals(
    text.receive(request("X-b=1\0X-c=1\0", { final: false, targetTransferTag }), 512).final,
    false,
  );
  assertEquals(keptBytes() - before, 3 * 128);
  assertEquals(text.receive(request("X-d=1\0", { targetTransferTag }), 512).final, true);
  assertEquals(keptBytes(), before);
  // Its tag is no longer one: nothing can be added to what is settled.
  const error = assertThrows(() => text.receive(request("X-e=1\0", { targetTransferTag }), 512));
  assertEquals(isRejection(error) && error.response.reason, RejectReason.protocolError);
});

Deno.test("a request in pieces of one byte counts what its buffer takes", () => {
  const { text, keptBytes, others } = beside();
  others.change(Limits.textBytes * 2, 0);
  const before = keptBytes();
  let targetTransferTag: number = RESERVED_TAG;
  for (let length = 1; length <= 5000; length++) {
    const piece = request("A", { final: false, continued: true, targetTransferTag });
    targetTransferTag = text.receive(piece, 512).targetTransferTag;
    assertEquals(keptBytes() - before, 2 ** Math.ceil(Math.log2(length)));
  }
});
