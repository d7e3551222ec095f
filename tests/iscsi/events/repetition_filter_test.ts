import { assertEquals } from "@std/assert";
import type { LogEvent } from "../../../lib/iscsi/events/event_log.ts";
import { Limits } from "../../../lib/iscsi/limits.ts";
import { RepetitionFilter } from "../../../lib/iscsi/events/repetition_filter.ts";
import { FakeClock } from "../../support/fake_clock.ts";

function refusal(peer: string, message = "refused"): LogEvent {
  return { level: "warning", message, details: { event: "loginRefused", peer } };
}

class Scene {
  readonly clock = new FakeClock();
  readonly logged: string[] = [];
  readonly filter = new RepetitionFilter(
    ({ message, repeats }) => this.logged.push(repeats === undefined ? message : `${message} +${repeats}`),
    this.clock,
  );
}

Deno.test("RepetitionFilter logs the first events that a peer repeats, then their number in the minute", () => {
  const { clock, filter, logged } = new Scene();
  for (let count = 1; count <= 63; count++) filter.write(refusal("10.0.0.2", String(count)));
  assertEquals(logged.splice(0), ["1", "2", "3", "4", "5"]);
  clock.advance(59_999);
  assertEquals(logged, []);
  clock.advance(1);
  assertEquals(logged.splice(0), ["63 +57"]);
  filter.write(refusal("10.0.0.2", "again"));
  assertEquals(logged.splice(0), ["again"], "a new minute");
  clock.advance(60_000);
  assertEquals([logged, clock.waiting], [[], 0], "no event is pending, and no timer runs");
});

Deno.test("RepetitionFilter logs a single suppressed event as it is", () => {
  const { filter, logged } = new Scene();
  for (let count = 1; count <= 6; count++) filter.write(refusal("10.0.0.2", String(count)));
  filter.flush();
  assertEquals(logged.at(-1), "6 +0");
});

Deno.test("RepetitionFilter counts peers, kinds and levels apart", () => {
  const { filter, logged } = new Scene();
  const others: LogEvent[] = [
    refusal("10.0.0.3", "peer"),
    { level: "warning", message: "kind", details: { event: "peerFault", peer: "10.0.0.2" } },
    { level: "info", message: "level", details: { event: "loginRefused", peer: "10.0.0.2" } },
  ];
  for (let count = 0; count < 10; count++) filter.write(refusal("10.0.0.2"));
  logged.length = 0;
  for (const event of others) filter.write(event);
  assertEquals(logged.splice(0), ["peer", "kind", "level"]);
});

Deno.test("RepetitionFilter reports a failure of ours once, then how often it was repeated word for word", () => {
  const { clock, filter, logged } = new Scene();
  for (let count = 0; count < 300; count++) {
    filter.write({ level: "warning", message: "Cannot save" });
    filter.write({ level: "error", message: "Cannot save", details: { event: "workerEnded" } });
  }
  filter.write({ level: "warning", message: "Cannot load" });
  assertEquals(logged.splice(0), ["Cannot save", "Cannot save", "Cannot load"]);
  clock.advance(60_000);
  assertEquals(logged.splice(0), ["Cannot save +298", "Cannot save +298"]);
  assertEquals(clock.waiting, 0);
});

Deno.test("RepetitionFilter reports an event of ours that is no failure 32 times in a minute", () => {
  const { filter, logged } = new Scene();
  for (const level of ["info", "debug"] as const) {
    for (let count = 0; count < 100; count++) filter.write({ level, message: level });
    assertEquals(logged.splice(0), Array(32).fill(level));
  }
});

Deno.test("RepetitionFilter lets every failure of ours pass that it has no room to remember", () => {
  const { clock, filter, logged } = new Scene();
  for (let peer = 0; peer < Limits.loggedPeers; peer++) filter.write(refusal(`peer ${peer}`));
  logged.length = 0;
  const messages = Array.from({ length: 1000 }, (_, index) => `Cannot open ${index}`);
  for (const message of messages) filter.write({ level: "error", message });
  assertEquals(logged, messages);
  assertEquals(clock.waiting, Limits.loggedPeers);
});

Deno.test("RepetitionFilter has later peers share when there are many, and forgets nobody's count", () => {
  const { clock, filter, logged } = new Scene();
  const peers = Limits.loggedPeers + 100;
  for (let peer = 0; peer < peers; peer++) filter.write(refusal(`peer ${peer}`, `of ${peer}`));
  assertEquals(logged.length, Limits.loggedPeers + 5);
  assertEquals(clock.waiting, Limits.loggedPeers + 1, "what is kept does not grow with the peers");
  filter.flush();
  assertEquals([logged.at(-1), clock.waiting], [`of ${peers - 1} +94`, 0]);
});
