import { assertEquals } from "@std/assert";
import { RestartPolicy } from "../../../lib/server/port/restart_policy.ts";

const MINUTE_MS = 60_000;

Deno.test("RestartPolicy ends the server when a worker is lost, or fails before one was ready", () => {
  const policy = new RestartPolicy();
  for (const kind of ["lost", "failed"] as const) {
    assertEquals(policy.decideRestart({ kind, message: "no" }, 0), { isLogged: false, failure: "no" });
  }
  policy.noteReady();
  assertEquals(policy.decideRestart({ kind: "lost", message: "no" }, 0), { isLogged: false, failure: "no" });
  assertEquals(policy.decideRestart({ kind: "failed", message: "no" }, 0).failure, undefined);
});

Deno.test("RestartPolicy ends the server at the fifth crash without a minute's pause", () => {
  const policy = new RestartPolicy();
  const crash = (nowMs: number): string | undefined =>
    policy.decideRestart({ kind: "crashed", message: "no" }, nowMs).failure;
  for (let count = 0; count < 4; count++) assertEquals(crash(count * (MINUTE_MS - 1)), undefined);
  // A pause starts the count again.
  let nowMs = 10 * MINUTE_MS;
  for (let count = 0; count < 4; count++, nowMs += MINUTE_MS - 1) assertEquals(crash(nowMs), undefined);
  assertEquals(crash(nowMs), "target worker ended 5 times in a short while, last: no");
});
