import { assertEquals } from "@std/assert";
import { EventLog } from "../../../lib/iscsi/events/event_log.ts";
import { Relays } from "../../../lib/server/port/relays.ts";
import { FakeClock } from "../../support/fake_clock.ts";

Deno.test("Relays reports a portal to which the process has no right, and posts nothing", async () => {
  const failures: string[] = [];
  const relays = new Relays({
    clock: new FakeClock(),
    log: new EventLog(() => {}),
    startWorker: () => {
      throw new Error("this program was compiled without the net right");
    },
    post: () => {
      throw new Error("nothing is to be posted");
    },
    onListening: () => {},
    onFailure: (message) => failures.push(message),
  });
  const faults = await relays.follow([{ address: "10.0.0.1", port: 3260 }]);
  assertEquals(faults, ["Cannot listen at 10.0.0.1:3260: this program was compiled without the net right"]);
  assertEquals([failures, relays.portals], [faults, []]);
  await relays.end();
});
