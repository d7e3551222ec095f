import { assertEquals } from "@std/assert";
import { Acknowledgements, type StatusNumbers } from "../../../lib/iscsi/connection/acknowledgements.ts";

/** The status numbers of a connection: the next one to be sent, and the next one that the initiator expects. */
class Numbers implements StatusNumbers {
  statSN = 1;
  #expStatSN = 1;

  acknowledge(expStatSN: number): void {
    this.#expStatSN = expStatSN;
  }

  isAcknowledged(statSN: number): boolean {
    return statSN <= this.#expStatSN;
  }
}

/** Acknowledgements of connections that expect these statuses to be acknowledged. */
function awaiting(statSNs: readonly number[]): {
  acknowledgements: Acknowledgements;
  expectations: { readonly met: Promise<void>; giveUp(): void }[];
} {
  const numbers = new Numbers();
  const acknowledgements = new Acknowledgements(numbers);
  const expectations = statSNs.map((statSN) => {
    numbers.statSN = statSN;
    return acknowledgements.expect()!;
  });
  return { acknowledgements, expectations };
}

/** The indexes of the expectations that are met now. */
async function metOf(expectations: readonly { readonly met: Promise<void> }[]): Promise<number[]> {
  const met: number[] = [];
  for (const [index, expectation] of expectations.entries()) expectation.met.then(() => met.push(index));
  await Promise.resolve();
  return met;
}

Deno.test("Acknowledgements ends the wait for what is acknowledged, and keeps the rest", async () => {
  const { acknowledgements, expectations } = awaiting([3, 5, 4]);
  acknowledgements.receive(2);
  assertEquals([await metOf(expectations), acknowledgements.count], [[], 3]);
  acknowledgements.receive(4);
  assertEquals([await metOf(expectations), acknowledgements.count], [[0, 2], 1]);
  acknowledgements.receive(5);
  assertEquals([await metOf(expectations), acknowledgements.count], [[0, 1, 2], 0]);
});

Deno.test("Acknowledgements gives up one wait, or all", async () => {
  const { acknowledgements, expectations } = awaiting([3, 4, 5]);
  expectations[1]!.giveUp();
  assertEquals([await metOf(expectations), acknowledgements.count], [[1], 2]);
  acknowledgements.giveUp();
  assertEquals([await metOf(expectations), acknowledgements.count], [[0, 1, 2], 0]);
});

Deno.test("expect() waits for nothing when every status is acknowledged", () => {
  const acknowledgements = new Acknowledgements(new Numbers());
  assertEquals([acknowledgements.expect(), acknowledgements.count], [undefined, 0]);
});
