import { assertEquals } from "@std/assert";
import { LingeringTasks } from "../../../lib/iscsi/task/lingering_tasks.ts";
import type { ScsiTask } from "../../../lib/iscsi/task/scsi_task.ts";

Deno.test("LingeringTasks counts a task from its first piece of work to its last", () => {
  const count = { tasks: 0 };
  const lingering = new LingeringTasks({
    beginLingering: () => count.tasks++,
    endLingering: () => count.tasks--,
  });
  const [one, other, third] = [1, 2, 3].map((initiatorTaskTag) => ({ initiatorTaskTag }) as ScsiTask);
  lingering.add(one!, 0);
  assertEquals([count.tasks, lingering.pieceEnded(one!)], [0, false], "it has none");
  lingering.add(one!, 2);
  lingering.add(other!, 1);
  lingering.add(one!, 1);
  assertEquals(count.tasks, 2);
  assertEquals([lingering.has(one!), lingering.has(third!)], [true, false]);
  assertEquals([lingering.pieceEnded(one!), lingering.pieceEnded(one!), count.tasks], [false, false, 2]);
  assertEquals([lingering.pieceEnded(other!), count.tasks], [true, 1]);
  assertEquals([lingering.has(one!), lingering.has(other!)], [true, false], "it is the only one");
  assertEquals([lingering.pieceEnded(one!), count.tasks], [true, 0]);
  assertEquals(lingering.has(one!), false);
  assertEquals([lingering.pieceEnded(one!), lingering.pieceEnded(third!), count.tasks], [false, false, 0]);
});
