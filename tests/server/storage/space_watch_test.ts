import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { recallSpace, SpaceWatch } from "../../../lib/server/storage/space_watch.ts";
import { SpaceGauge } from "../../../lib/server/storage/measure_space.ts";
import { formatHistory } from "../../../lib/server/storage/growth_history.ts";
import { systemClock } from "../../../lib/server/system.ts";
import { formatState } from "../../../lib/store/state_text.ts";
import { withScratch } from "../../provision/scratch.ts";
import { KeptLog, makeServed, pathOf } from "../_serving.ts";
import { until } from "../../support/until.ts";

const gauge = new SpaceGauge(systemClock);

const DAY_MS = 24 * 60 * 60 * 1000;

Deno.test("SpaceWatch reports the space of files, and stores its history", () =>
  withScratch(async (folder) => {
    const served = makeServed(folder);
    const growthFile = join(folder, ".iscsi", "growth.json");
    const log = new KeptLog();
    {
      await using watch = new SpaceWatch({ config: () => served.config, gauge, log, clock: systemClock });
      const { files, fileSystems } = await watch.report();
      assertEquals(
        files.map(({ allocatedBytes, growthBytesPerDay }) => [allocatedBytes, growthBytesPerDay]),
        [
          [0, null],
          [0, null],
        ],
      );
      assertEquals(fileSystems.map(({ path, growthBytesPerDay }) => [path, growthBytesPerDay]), [[
        folder,
        null,
      ]]);
      assert(fileSystems[0]!.totalBytes > fileSystems[0]!.availableBytes);
      await until(() => exists(growthFile), "the sample is stored");
    }
    const paths = [pathOf(served, "a"), pathOf(served, "b")];
    const allocatedBytes = Object.fromEntries(paths.map((path) => [path, 0]));
    Deno.writeTextFileSync(growthFile, formatHistory([{ atMs: Date.now() - DAY_MS, allocatedBytes }]));
    Deno.writeFileSync(paths[0]!, new Uint8Array(1024 * 1024).fill(1));
    await using watch = new SpaceWatch({ config: () => served.config, gauge, log, clock: systemClock });
    const { files, fileSystems } = await watch.report();
    const [growth, none] = files.map(({ growthBytesPerDay }) => growthBytesPerDay!);
    assert(Math.abs(growth! - 1024 * 1024) < 10_000, String(growth));
    assertEquals(none, 0);
    const [{ availableBytes, fullInDays }] = fileSystems as [typeof fileSystems[0]];
    assertEquals(Math.round(availableBytes! / fullInDays!), Math.round(growth!));
    assertEquals(log.lines, []);
    const recalled = await recallSpace(served.config);
    assertEquals(recalled.files.map(({ path }) => path), paths);
    assert(Math.abs(recalled.files[0]!.growthBytesPerDay! - growth!) < 10_000);
  }));

Deno.test("SpaceWatch logs an unreadable history, goes on, and keeps that of a newer version", () =>
  withScratch(async (folder) => {
    const served = makeServed(folder);
    const growthFile = join(folder, ".iscsi", "growth.json");
    Deno.mkdirSync(join(folder, ".iscsi"));
    const newer = formatState({ version: 9, body: {} });
    for (const [text, reason] of [["{", "it is not JSON"], [newer, "it has version 9"]] as const) {
      Deno.writeTextFileSync(growthFile, text);
      const log = new KeptLog();
      {
        await using watch = new SpaceWatch({ config: () => served.config, gauge, log, clock: systemClock });
        assertEquals((await watch.report()).files[0]!.growthBytesPerDay, null);
      }
      assertEquals(log.lines.length, 1);
      assertStringIncludes(
        log.lines[0]!,
        `Cannot read the growth history "${growthFile}": ${reason}`,
      );
      assertEquals(Deno.readTextFileSync(growthFile) === text, text === newer);
    }
  }));

function exists(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}
