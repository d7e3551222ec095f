import { assertEquals } from "@std/assert";
import { FailedLogins } from "../../../lib/iscsi/node/failed_logins.ts";
import { Limits } from "../../../lib/iscsi/limits.ts";
import { FakeClock } from "../../support/fake_clock.ts";

const { failedLoginFirstMs: FIRST, failedLoginMaxMs: MAX } = Limits;

/** The delay after each of so many failures. */
function delaysAfter(failed: FailedLogins, address: string, count: number): number[] {
  return Array.from({ length: count }, () => {
    failed.add(address);
    return failed.delayMs(address);
  });
}

Deno.test("delayMs() is nothing, and doubles with each failure up to its maximum, for each address apart", () => {
  const failed = new FailedLogins(new FakeClock());
  assertEquals(failed.delayMs("10.0.0.1"), 0);
  assertEquals(delaysAfter(failed, "10.0.0.1", 8), [FIRST, 500, 1000, 2000, 4000, MAX, MAX, MAX]);
  assertEquals(delaysAfter(failed, "10.0.0.1", 2000), new Array(2000).fill(MAX));
  assertEquals([failed.delayMs("10.0.0.2"), failed.delayMs("2001:db8::1")], [0, 0]);
});

Deno.test("delayMs() forgets an address that has not failed for a while", () => {
  const clock = new FakeClock();
  const failed = new FailedLogins(clock);
  failed.add("10.0.0.1");
  clock.advance(Limits.failedLoginMemoryMs - 1);
  assertEquals(failed.delayMs("10.0.0.1"), FIRST);
  assertEquals(delaysAfter(failed, "10.0.0.1", 1), [2 * FIRST]);
  clock.advance(Limits.failedLoginMemoryMs);
  assertEquals(failed.delayMs("10.0.0.1"), 0);
  assertEquals(delaysAfter(failed, "10.0.0.1", 1), [FIRST]);
});

Deno.test("delayMs() does not follow the time of day, which may be set anew", () => {
  const times = { now: 1_000_000, monotonicMs: 0 };
  const clock = { now: () => times.now, monotonicMs: () => times.monotonicMs };
  const failed = new FailedLogins(clock);
  failed.add("10.0.0.1");
  times.now += 3_600_000;
  assertEquals(failed.delayMs("10.0.0.1"), FIRST);
  times.now -= 7_200_000;
  times.monotonicMs += Limits.failedLoginMemoryMs;
  assertEquals(failed.delayMs("10.0.0.1"), 0);
});

Deno.test("add() keeps a bounded number of addresses: who failed longest ago is forgotten", () => {
  const failed = new FailedLogins(new FakeClock());
  for (const address of ["10.0.0.1", "10.0.0.2", "10.0.0.1"]) failed.add(address);
  for (let index = 0; index < Limits.failedLoginAddresses - 1; index++) {
    failed.add(`10.1.${index >> 8}.${index & 0xff}`);
  }
  assertEquals(failed.delayMs("10.0.0.1"), 2 * FIRST);
  assertEquals(failed.delayMs("10.0.0.2"), 0);
});
