import { assertEquals } from "@std/assert";
import { CommandMeter } from "../../../lib/iscsi/task/command_meter.ts";
import type { ScsiTask } from "../../../lib/iscsi/task/scsi_task.ts";
import { CommandKind, Traffic } from "../../../lib/scsi/counters/traffic.ts";
import { FakeClock } from "../../support/fake_clock.ts";

/** A meter, and a clock that counts how often it is read. */
class Scene {
  readonly clock = new FakeClock();
  readings = 0;
  readonly traffic = new Traffic();
  readonly meter = new CommandMeter({
    now: () => this.clock.now(),
    monotonicMs: () => {
      this.readings++;
      return this.clock.monotonicMs();
    },
    after: (delayMs, callback) => this.clock.after(delayMs, callback),
  });

  /** A read of a block; only what is counted of it matters here. */
  read(): ScsiTask {
    const task: Partial<ScsiTask> = {
      traffic: this.traffic,
      kind: CommandKind.read,
      transferBytes: 512,
      expectedBytes: 512,
      receivedMs: undefined,
    };
    return task as ScsiTask;
  }

  /** Commands that come at once and are answered so much later, at once. */
  batch(commands: number, elapsedMs: number): void {
    this.meter.received();
    for (let count = 0; count < commands; count++) this.meter.answered(this.read());
    this.clock.advance(elapsedMs);
    this.meter.sent();
  }

  get latencies(): { readonly timed: number; readonly totalMs: number } {
    const { counts, totalMs } = this.traffic.figures().reads.latencies;
    return { timed: counts.reduce((sum, count) => sum + count, 0), totalMs };
  }
}

Deno.test("CommandMeter times what is answered at once together, with two readings of the clock", () => {
  const scene = new Scene();
  scene.batch(32, 3);
  assertEquals(scene.latencies, { timed: 32, totalMs: 96 });
  assertEquals(scene.readings, 2);
  scene.meter.received();
  scene.meter.sent();
  assertEquals(scene.readings, 3, "there is nothing to time");
});

Deno.test("CommandMeter times one batch in eight of a long session, which stands for the others", () => {
  const scene = new Scene();
  for (let batch = 1; batch <= 64; batch++) scene.batch(1, 0);
  assertEquals([scene.latencies.timed, scene.readings], [64, 128], "all of the first");
  for (let batch = 1; batch <= 7; batch++) scene.batch(2, 1_000);
  assertEquals([scene.latencies.timed, scene.readings], [64, 128]);
  scene.batch(2, 5);
  assertEquals([scene.latencies, scene.readings], [{ timed: 80, totalMs: 80 }, 130]);
  assertEquals(scene.traffic.figures().reads.commands, 80);
});

Deno.test("CommandMeter times what is postponed by itself, from when it came", () => {
  const scene = new Scene();
  const tasks = [scene.read(), scene.read()] as const;
  for (const task of tasks) {
    scene.meter.received();
    scene.meter.postponed(task);
    scene.clock.advance(10);
    scene.meter.sent();
  }
  scene.meter.answered(tasks[1]);
  scene.meter.answered(tasks[0]);
  assertEquals(scene.latencies, { timed: 2, totalMs: 30 });
});

Deno.test("CommandMeter times what is postponed, although its batch is not timed", () => {
  const scene = new Scene();
  for (let batch = 1; batch <= 64; batch++) scene.batch(1, 0);
  const task = scene.read();
  scene.meter.received();
  scene.meter.postponed(task);
  scene.clock.advance(10);
  scene.meter.sent();
  scene.meter.answered(task);
  assertEquals(scene.latencies, { timed: 65, totalMs: 10 });
});
