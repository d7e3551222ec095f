import { assertEquals } from "@std/assert";
import { SpaceGauge, spaceOfFiles } from "../../../lib/server/storage/measure_space.ts";
import { systemClock } from "../../../lib/server/system.ts";
import { withScratch } from "../../provision/scratch.ts";
import { FakeClock } from "../../support/fake_clock.ts";
import { until } from "../../support/until.ts";

Deno.test("measure() has the space of files, and leaves out what is not there", () =>
  withScratch(async (folder) => {
    const path = `${folder}/a`;
    Deno.writeFileSync(path, new Uint8Array(8192).fill(1));
    Deno.truncateSync(path, 1024 * 1024);
    const measured = await new SpaceGauge(systemClock).measure([path, folder, `${folder}/none`]);
    assertEquals([...measured.keys()].toSorted(), [folder, path]);
    assertEquals([...spaceOfFiles(measured)].map(([path, { usedBytes }]) => [path, usedBytes]), [[
      path,
      8192,
    ]]);
  }));

Deno.test("measure() goes on without a file system that hangs, and probes it once", () =>
  withScratch(async (folder) => {
    const clock = new FakeClock();
    const [path, stuck] = [`${folder}/a`, `${folder}/stuck`];
    for (const file of [path, stuck]) Deno.writeTextFileSync(file, "");
    const gate = Promise.withResolvers<void>();
    const probed: string[] = [];
    const gauge = new SpaceGauge(clock, async (path) => {
      probed.push(path);
      if (path === stuck) await gate.promise;
    });
    for (let round = 0; round < 3; round++) {
      const measuring = gauge.measure([path, stuck]);
      await until(() => clock.waiting > 0, "it waits");
      clock.advance(1_000);
      assertEquals([...(await measuring).keys()], [path]);
    }
    assertEquals(probed.filter((path) => path === stuck).length, 1);
    gate.resolve();
    assertEquals([...(await gauge.measure([path, stuck])).keys()].toSorted(), [path, stuck]);
  }));
