import { assertEquals } from "@std/assert";
import { FailedLogins } from "../../lib/iscsi/failed_logins.ts";
import { Limits } from "../../lib/iscsi/limits.ts";
import { FakeClock } from "../support/fake_clock.ts";

const { failedLoginFirstMs: FIRST, failedLoginMaxMs: MAX } = Limits;

Deno.test("add() doubles the delay up to its maximum, for each address apart", () => {
  const failed = new FailedLogins(new FakeClock());
  const delays = Array.from({ length: 8 }, () => failed.add("10.0.0.1"));
  assertEquals(delays, [FIRST, 500, 1000, 2000, 4000, MAX, MAX, MAX]);
  for (let count = 0; count < 2000; count++) assertEquals(failed.add("10.0.0.1"), MAX);
  assertEquals(failed.add("10.0.0.2"), FIRST);
});

Deno.test("add() forgets an address that has not failed for a while", () => {
  const clock = new FakeClock();
  const failed = new FailedLogins(clock);
  failed.add("10.0.0.1");
  clock.advance(Limits.failedLoginMemoryMs - 1);
  assertEquals(failed.add("10.0.0.1"), 2 * FIRST);
  clock.advance(Limits.failedLoginMemoryMs);
  assertEquals(failed.add("10.0.0.1"), FIRST);
});

Deno.test("add() takes a host of IPv6, which has a subnet, for one", () => {
  const failed = new FailedLogins(new FakeClock());
  assertEquals(failed.add("2001:db8::1"), FIRST);
  assertEquals(failed.add("2001:db8::ffff:1"), 2 * FIRST);
  assertEquals(failed.add("2001:db8:0:1::1"), FIRST);
});

Deno.test("add() keeps a bounded number of addresses: who failed longest ago is forgotten", () => {
  const failed = new FailedLogins(new FakeClock());
  failed.add("10.0.0.1");
  failed.add("10.0.0.2");
  failed.add("10.0.0.1");
  for (let index = 0; index < Limits.failedLoginAddresses - 1; index++) {
    failed.add(`10.1.${index >> 8}.${index & 0xff}`);
  }
  assertEquals(failed.add("10.0.0.1"), 4 * FIRST);
  assertEquals(failed.add("10.0.0.2"), FIRST);
});
