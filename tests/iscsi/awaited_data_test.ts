import { assertEquals } from "@std/assert";
import { AwaitedData } from "../../lib/iscsi/awaited_data.ts";
import type { DataOut } from "../../lib/iscsi/initiator_pdus.ts";

function dataOut(targetTransferTag: number, final = true): DataOut {
  const data = new Uint8Array();
  const numbers = { initiatorTaskTag: 1, expStatSN: 0, dataSN: 0, bufferOffset: 0 };
  return { kind: "dataOut", final, lun: 0, targetTransferTag, data, ...numbers };
}

/** What has been awaited for, and whether it is all there. */
async function isComplete(promise: Promise<void>): Promise<boolean> {
  return await Promise.race([promise.then(() => true), Promise.resolve(false).then((value) => value)]);
}

Deno.test("AwaitedData waits for the last PDU of each R2T, and for no other", async () => {
  const awaited = new AwaitedData();
  awaited.receive(dataOut(1));
  const complete = awaited.expect([1, 2]);
  for (const pdu of [dataOut(3), dataOut(0xffffffff), dataOut(1, false), dataOut(1), dataOut(1)]) {
    awaited.receive(pdu);
    assertEquals(await isComplete(complete), false);
  }
  assertEquals(awaited.expect([4]) === complete, true);
  awaited.receive(dataOut(2));
  assertEquals(await isComplete(complete), false);
  awaited.receive(dataOut(4));
  await complete;
});

Deno.test("AwaitedData gives up, and can be asked again", async () => {
  const awaited = new AwaitedData();
  const before = awaited.expect([1]);
  awaited.giveUp();
  await before;
  const after = awaited.expect([2]);
  awaited.receive(dataOut(1));
  assertEquals(await isComplete(after), false);
  awaited.receive(dataOut(2));
  await after;
});
