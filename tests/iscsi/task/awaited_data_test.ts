import { assertEquals } from "@std/assert";
import { AwaitedData } from "../../../lib/iscsi/task/awaited_data.ts";
import type { Expectation } from "../../../lib/iscsi/task/expectation.ts";
import type { DataOut } from "../../../lib/iscsi/pdu/initiator_pdus.ts";

function dataOut(targetTransferTag: number, final = true): DataOut {
  const data = new Uint8Array();
  const numbers = { initiatorTaskTag: 1, expStatSN: 0, dataSN: 0, bufferOffset: 0 };
  return { kind: "dataOut", final, lun: 0, targetTransferTag, data, ...numbers };
}

async function isMet({ met }: Expectation): Promise<boolean> {
  return await Promise.race([met.then(() => true), Promise.resolve(false).then((value) => value)]);
}

Deno.test("AwaitedData waits for the last PDU of each R2T, and for no other", async () => {
  const awaited = new AwaitedData();
  awaited.receive(dataOut(1));
  const expectation = awaited.expect([1, 2]);
  for (const pdu of [dataOut(3), dataOut(0xffffffff), dataOut(1, false), dataOut(1), dataOut(1)]) {
    awaited.receive(pdu);
    assertEquals(await isMet(expectation), false);
  }
  awaited.receive(dataOut(2));
  await expectation.met;
});

Deno.test("AwaitedData keeps expectations apart, and nothing of one that is met or given up", async () => {
  const awaited = new AwaitedData();
  const [first, second, third] = [[1, 2], [3], [4, 5, 6]].map((tags) => awaited.expect(tags));
  assertEquals(awaited.count, 6);
  awaited.receive(dataOut(3));
  await second!.met;
  assertEquals([await isMet(first!), await isMet(third!), awaited.count], [false, false, 5]);
  third!.giveUp();
  await third!.met;
  assertEquals([await isMet(first!), awaited.count], [false, 2]);
  awaited.receive(dataOut(1));
  awaited.receive(dataOut(2));
  await first!.met;
  assertEquals(awaited.count, 0);
});

Deno.test("AwaitedData gives up everything, and can be asked again", async () => {
  const awaited = new AwaitedData();
  const before = [awaited.expect([1]), awaited.expect([2])];
  awaited.giveUp();
  await Promise.all(before.map(({ met }) => met));
  const after = awaited.expect([2]);
  awaited.receive(dataOut(1));
  assertEquals(await isMet(after), false);
  awaited.receive(dataOut(2));
  await after.met;
});
