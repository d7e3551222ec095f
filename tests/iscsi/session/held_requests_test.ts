import { assertEquals } from "@std/assert";
import {
  type CommandReceiver,
  type HeldCommand,
  HeldRequests,
} from "../../../lib/iscsi/session/held_requests.ts";

const HERE: CommandReceiver = { hasRoom: true, carryOut: () => {}, wake: () => {} };
const THERE: CommandReceiver = { hasRoom: true, carryOut: () => {}, wake: () => {} };

Deno.test("HeldRequests finds requests by connection and tag, equal ones in their order", () => {
  const requests = new HeldRequests();
  const [first, twin, other, there]: HeldCommand[] = [[1, HERE], [1, HERE], [2, HERE], [1, THERE]].map(
    ([initiatorTaskTag, receiver]) => ({ initiatorTaskTag, receiver, frames: [] }) as unknown as HeldCommand,
  );
  for (const request of [first!, twin!, other!, there!]) requests.add(request);
  assertEquals(requests.find(HERE, 1) === first, true);
  assertEquals(requests.find(THERE, 2), undefined);
  assertEquals(requests.withTag(1).length, 3);
  requests.remove(first!);
  assertEquals(requests.find(HERE, 1) === twin, true);
  requests.remove(twin!);
  assertEquals([requests.find(HERE, 1), requests.withTag(1).length], [undefined, 1]);
  requests.remove(there!);
  assertEquals([requests.hasAnyOf(HERE), requests.hasAnyOf(THERE)], [true, false]);
});
