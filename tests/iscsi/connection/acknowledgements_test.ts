import { assertEquals } from "@std/assert";
import { AwaitedAcknowledgements } from "../../../lib/iscsi/connection/acknowledgements.ts";

/** Which of them are met by now. */
async function metOf(expectations: readonly { readonly met: Promise<void> }[]): Promise<number[]> {
  const met: number[] = [];
  for (const [index, expectation] of expectations.entries()) expectation.met.then(() => met.push(index));
  await Promise.resolve();
  return met;
}

Deno.test("AwaitedAcknowledgements ends the waiting for what is acknowledged, and keeps the rest", async () => {
  const awaited = new AwaitedAcknowledgements();
  assertEquals(awaited.count, 0);
  const expectations = [3, 5, 4].map((statSN) => awaited.expect(statSN));
  awaited.update((statSN) => statSN <= 2);
  assertEquals([await metOf(expectations), awaited.count], [[], 3]);
  awaited.update((statSN) => statSN <= 4);
  assertEquals([await metOf(expectations), awaited.count], [[0, 2], 1]);
  awaited.update(() => true);
  assertEquals([await metOf(expectations), awaited.count], [[0, 1, 2], 0]);
});

Deno.test("AwaitedAcknowledgements gives up one, or all", async () => {
  const awaited = new AwaitedAcknowledgements();
  const expectations = [1, 2, 3].map((statSN) => awaited.expect(statSN));
  expectations[1]!.giveUp();
  assertEquals([await metOf(expectations), awaited.count], [[1], 2]);
  awaited.giveUp();
  assertEquals([await metOf(expectations), awaited.count], [[0, 1, 2], 0]);
});
