import { assertEquals } from "@std/assert";
import { LockWatch } from "../../../lib/server/storage/lock_watch.ts";
import { FakeClock } from "../../support/fake_clock.ts";
import { until } from "../../support/until.ts";

const CHECK_MS = 5_000;

type Check = () => Promise<string | undefined>;

/** A watch of a lease that a test can replace. */
class Watched {
  readonly clock = new FakeClock();
  readonly losses: string[] = [];
  readonly watch: LockWatch;
  lease: { findLoss?: Check } = {};

  constructor(findLoss: Check) {
    this.lease = { findLoss };
    this.watch = new LockWatch({
      lease: () => this.lease,
      clock: this.clock,
      onLoss: (reason) => this.losses.push(reason),
    });
  }

  /** Lets the next check begin, and waits until it has ended. */
  async check(): Promise<void> {
    this.clock.advance(CHECK_MS);
    await until(() => this.clock.waiting === 1, "the next check is planned");
  }
}

Deno.test("LockWatch reports a loss once, and checks no more", async () => {
  const reasons = [undefined, undefined, "gone"];
  const watched = new Watched(() => Promise.resolve(reasons.shift()));
  await watched.check();
  await watched.check();
  assertEquals(watched.losses, []);
  watched.clock.advance(CHECK_MS);
  await until(() => watched.losses.length > 0, "the loss is reported");
  assertEquals([watched.losses, watched.clock.waiting], [["gone"], 0]);
});

Deno.test("LockWatch makes one check at a time, and takes none of a lease that a reload has replaced", async () => {
  const answer = Promise.withResolvers<string | undefined>();
  const watched = new Watched(() => answer.promise);
  watched.clock.advance(10 * CHECK_MS);
  assertEquals(watched.clock.waiting, 0);
  watched.lease = { findLoss: () => Promise.resolve(undefined) };
  answer.resolve("its file was removed");
  await until(() => watched.clock.waiting === 1, "the next check is planned");
  await watched.check();
  assertEquals(watched.losses, []);
  watched.lease = {};
  await watched.check();
  watched.watch[Symbol.dispose]();
  assertEquals(watched.clock.waiting, 0);
});

Deno.test("LockWatch reports nothing after its end", async () => {
  const answer = Promise.withResolvers<string | undefined>();
  const watched = new Watched(() => answer.promise);
  watched.clock.advance(CHECK_MS);
  watched.watch[Symbol.dispose]();
  answer.resolve("gone");
  await answer.promise;
  await Promise.resolve();
  assertEquals([watched.losses, watched.clock.waiting], [[], 0]);
});
