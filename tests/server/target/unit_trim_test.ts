/** The trim of a served LUN: when it is refused, and how it ends early. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { TargetServer } from "../../../lib/server/target/target_server.ts";
import type { PunchResult } from "../../../lib/store/hole_puncher.ts";
import { configOf } from "../../provision/conf.ts";
import { withScratch } from "../../provision/scratch.ts";
import { FakeClock } from "../../support/fake_clock.ts";
import { until } from "../../support/until.ts";
import { FILE_BYTES, KeptLog, makeServed, type Served } from "../_serving.ts";

const LIMITS = { extents: null, bytesPerSecond: null };
const SLOW = { extents: null, bytesPerSecond: 1 };

interface Scene {
  readonly server: TargetServer;
  readonly served: Served;
  readonly log: KeptLog;
  /** Bytes of the holes that were made. */
  readonly punched: { bytes: number };
}

/** Runs a test with the targets `a` and `b`, of which `a` can be trimmed and is full of zeros. */
async function withServer(test: (scene: Scene) => Promise<void>): Promise<void> {
  await withScratch(async (folder) => {
    Deno.mkdirSync(`${folder}/.iscsi/reservations`, { recursive: true });
    const served = makeServed(folder);
    Deno.writeFileSync(`${folder}/a`, new Uint8Array(FILE_BYTES));
    const [log, punched] = [new KeptLog(), { bytes: 0 }];
    const punch = (ranges: readonly { lengthBytes: number }[]): Promise<PunchResult> => {
      for (const { lengthBytes } of ranges) punched.bytes += lengthBytes;
      return Promise.resolve("punched");
    };
    const puncherOf = (path: string) => path.endsWith("/a") ? { punch } : undefined;
    const server = TargetServer.start({ ...served, puncherOf, log, clock: new FakeClock() });
    try {
      await test({ server, served, log, punched });
    } finally {
      await server.stop();
    }
  });
}

function isTrimming(server: TargetServer): boolean {
  return server.snapshot().targets[0]?.logicalUnits[0]?.trim?.sizeBytes !== undefined;
}

Deno.test("TargetServer.trim() gives back the zeros of a LUN, and logs it", () =>
  withServer(async ({ server, log, punched }) => {
    const figures = await server.trim({ target: "a", lun: 0, ...LIMITS });
    assertEquals([figures.releasedBytes, punched.bytes], [FILE_BYTES, FILE_BYTES]);
    assert(log.lines.includes("info: Trimmed LUN 0 of [a]: 4 MB released"), log.lines.join("\n"));
    // What is known to take no space is not read again.
    assertEquals((await server.trim({ target: "a", lun: 0, ...LIMITS })).releasedBytes, 0);
  }));

Deno.test("TargetServer.trim() refuses a LUN that cannot be trimmed", () =>
  withServer(async ({ server }) => {
    const refuses = (target: string, lun: number, message: string): Promise<Error> =>
      assertRejects(() => server.trim({ target, lun, ...LIMITS }), Error, message);
    await refuses("a", 7, "There is no LUN 7 of [a]");
    await refuses("none", 0, "There is no LUN 0 of [none]");
    await refuses("b", 0, "cannot be released");
    const first = assertRejects(() => server.trim({ target: "a", lun: 0, ...SLOW }));
    await until(() => isTrimming(server), "it runs");
    await refuses("a", 0, "is being trimmed already");
    await server.unitOf({ target: "a", lun: 0 }).logicalUnit.trimmer.cancel();
    await first;
  }));

Deno.test("the trim of a LUN ends when the LUN is removed, and when the server stops", () =>
  withServer(async ({ server, served, punched }) => {
    const trimmed = assertRejects(() => server.trim({ target: "a", lun: 0, ...SLOW }));
    await until(() => isTrimming(server), "it runs");
    const [storage] = [served.config.storage];
    const without = configOf(`storage=${storage}`, "networks=127.0.0.0/8", "[b]", "size=4MB");
    server.reconfigure({ ...served, config: { ...without, port: served.config.port } });
    await trimmed;
    assertEquals(punched.bytes, 0);
    const again = TargetServer.start({
      ...served,
      puncherOf: () => ({ punch: () => Promise.resolve("punched") }),
      log: new KeptLog(),
      clock: new FakeClock(),
    });
    const ended = assertRejects(() => again.trim({ target: "a", lun: 0, ...SLOW }));
    await until(() => isTrimming(again), "it runs");
    await again.stop();
    await ended;
  }));
