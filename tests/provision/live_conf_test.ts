import { assert, assertEquals } from "@std/assert";
import type { Config } from "../../lib/config/config.ts";
import {
  describeDrift,
  describeDriftIn,
  findConfDrift,
  recordLiveConf,
} from "../../lib/provision/live_conf.ts";
import { formatState } from "../../lib/store/state_text.ts";
import { configOf } from "./conf.ts";
import { withScratch } from "./scratch.ts";

const SECRET = "a-secret-of-12";

/** Runs a test with a storage folder that has a state folder. */
function withStorage(
  test: (make: (...lines: readonly string[]) => Config, path: string) => Promise<void>,
): Promise<void> {
  return withScratch(async (folder) => {
    Deno.mkdirSync(`${folder}/.iscsi`);
    await test((...lines) => configOf(`storage=${folder}`, ...lines), `${folder}/.iscsi/live.json`);
  });
}

/** Returns a host, and a minute there. */
function at(host: string, minute = 0): { readonly host: string; readonly now: () => string } {
  return { host, now: () => `2026-11-30T12:0${minute}:00.000Z` };
}

Deno.test("findConfDrift() names where a conf differs from that of another host, and is silent about this one", () =>
  withStorage(async (make) => {
    const config = make("[a]", "size=1MB");
    assertEquals(await findConfDrift(config, at("alpha")), undefined);
    await recordLiveConf(config, at("alpha"));
    assertEquals(await findConfDrift(config, at("beta")), undefined);
    const edited = make("[a]", "size=2MB");
    assertEquals(await findConfDrift(edited, at("alpha")), undefined);
    const drift = await findConfDrift(edited, at("beta"));
    assert(drift !== undefined);
    assertEquals(
      describeDrift(drift),
      'This conf is not the one that host "alpha" made live at 2026-11-30T12:00:00.000Z; make them the same on all ' +
        "hosts",
    );
    assertEquals(drift.differences.map(describeDriftIn), ["[a]: size of LUN 0 is 2 MB, there 1 MB"]);
  }));

Deno.test("recordLiveConf() keeps the time of a conf that stays, and replaces another, or that of another host", () =>
  withStorage(async (make, path) => {
    const time = (): unknown => JSON.parse(Deno.readTextFileSync(path)).time;
    const config = make("[a]", "size=1MB", "user=bob", `secret=${SECRET}`);
    await recordLiveConf(config, at("alpha", 1));
    await recordLiveConf(config, at("alpha", 2));
    assertEquals(time(), "2026-11-30T12:01:00.000Z");
    await recordLiveConf(config, at("beta", 3));
    assertEquals(time(), "2026-11-30T12:03:00.000Z");
    await recordLiveConf(make("[a]", "size=1MB", "user=bob", "secret=another-secret"), at("beta", 4));
    assertEquals(time(), "2026-11-30T12:04:00.000Z");
  }));

Deno.test("recordLiveConf() keeps secrets only as a salted hash, in a file for its owner", () =>
  withStorage(async (make, path) => {
    const config = make("[a]", "size=1MB", "user=bob", `secret=${SECRET}`);
    await recordLiveConf(config, at("alpha"));
    const first = Deno.readTextFileSync(path);
    assertEquals(Deno.statSync(path).mode! & 0o777, 0o600);
    assert(!first.includes(SECRET) && !first.includes("bob"), first);
    assertEquals(await findConfDrift(config, at("beta")), undefined);
    Deno.removeSync(path);
    await recordLiveConf(config, at("alpha"));
    assert(JSON.parse(first).secrets.hash !== JSON.parse(Deno.readTextFileSync(path)).secrets.hash);
    for (const lines of [["user=eve", `secret=${SECRET}`], ["user=bob", "secret=another-secret"], []]) {
      const drift = await findConfDrift(make("[a]", "size=1MB", ...lines), at("beta"));
      assertEquals(drift?.differences.at(-1), { target: undefined, text: "CHAP names or secrets differ" });
    }
  }));

Deno.test("findConfDrift() compares with nothing that it cannot read, and recordLiveConf() replaces it", () =>
  withStorage(async (make, path) => {
    const config = make("[a]", "size=1MB");
    const body = { host: "alpha", time: "t", server: {}, targets: {}, secrets: null };
    const texts = [
      "",
      "{}",
      formatState({ version: 3, body }),
      formatState({ version: 2, body: { ...body, host: 1 } }),
      formatState({ version: 2, body: { ...body, targets: { a: { size: 1 } } } }),
      formatState({ version: 2, body: { ...body, secrets: { salt: "0", hash: "" } } }),
    ];
    for (const text of texts) {
      Deno.writeTextFileSync(path, text);
      assertEquals(await findConfDrift(config, at("beta")), undefined, text);
      await recordLiveConf(config, at("alpha"));
      assertEquals(await findConfDrift(config, at("beta")), undefined);
      assertEquals(JSON.parse(Deno.readTextFileSync(path)).host, "alpha");
    }
  }));
