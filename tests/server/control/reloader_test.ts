/** Reloads of the conf, with a supervisor that only records requests. */
import { assertEquals, assertRejects, assertStringIncludes, fail } from "@std/assert";
import type { Config } from "../../../lib/config/config.ts";
import type { ReportedChange } from "../../../lib/control/reported_change.ts";
import { findExports } from "../../../lib/provision/find_exports.ts";
import { provision } from "../../../lib/provision/provision.ts";
import { stateFolderOf } from "../../../lib/provision/state_folder.ts";
import { StorageLock } from "../../../lib/provision/storage_lock.ts";
import { parseConfig, type ParsedConfig } from "../../../lib/config/parse_config.ts";
import { Reloader } from "../../../lib/server/control/reloader.ts";
import type { Lease, Serving } from "../../../lib/server/storage/serving.ts";
import type { Supervisor } from "../../../lib/server/supervisor/supervisor.ts";
import { withScratch } from "../../provision/scratch.ts";
import { KeptLog } from "../_serving.ts";

const LEASE: Lease = {
  forPort: () => fail("no worker is started"),
  end: () => Promise.resolve(),
};

/** A supervisor for tests; `changes` is its answer to each preview. */
class NotedSupervisor {
  readonly deeds: string[] = [];
  serving: Serving;
  changes: readonly ReportedChange[] = [];
  /** A promise that each reconfiguration awaits. */
  gate: Promise<void> = Promise.resolve();

  constructor(config: Config) {
    this.serving = {
      config,
      identities: new Map(),
      devices: [],
      unavailable: new Map(),
      lease: LEASE,
    };
  }

  readonly hasWorker = true;
  backingFaults: ReadonlyMap<string, string> = new Map();

  preview(): Promise<readonly ReportedChange[]> {
    this.deeds.push("preview");
    return Promise.resolve(this.changes);
  }

  async reconfigure(next: Serving): Promise<readonly ReportedChange[]> {
    this.deeds.push(`reconfigure ${next.config.targets.map(({ name }) => name).join(" ")}`);
    await this.gate;
    this.deeds.push("done");
    this.serving = next;
    return this.changes;
  }

  async replace(next: Serving): Promise<void> {
    this.deeds.push(`replace ${next.config.storage.split("/").at(-1)}`);
    await this.serving.lease.end();
    this.serving = next;
  }
}

interface Fixture {
  readonly folder: string;
  readonly file: string;
  readonly supervisor: NotedSupervisor;
  readonly reloader: Reloader;
  readonly log: KeptLog;
  readonly moves: string[];
  /** Writes the conf and builds it. */
  readonly write: (
    lines: readonly string[],
    options?: { storage?: string; build?: boolean },
  ) => Promise<void>;
}

function withReloader(test: (fixture: Fixture) => Promise<void>): Promise<void> {
  return withScratch(async (folder) => {
    const file = `${folder}/conf`;
    const parse = (): ParsedConfig => parseConfig(Deno.readTextFileSync(file), { file });
    const write: Fixture["write"] = async (lines, { storage = "s", build = true } = {}) => {
      Deno.writeTextFileSync(file, [`storage=${folder}/${storage}`, ...lines, ""].join("\n"));
      if (build) await provision(parse().config!);
    };
    await write(["[a]", "size=1MB"]);
    const supervisor = new NotedSupervisor(parse().config!);
    const log = new KeptLog();
    const moves: string[] = [];
    const onApplied = ({ storage }: Config): Promise<void> => Promise.resolve(void moves.push(storage));
    const asSupervisor = supervisor as unknown as Supervisor;
    const reloader = new Reloader({ file, parse, supervisor: asSupervisor, log, onApplied });
    await test({ folder, file, supervisor, reloader, log, moves, write });
  });
}

const SESSION = { initiator: "iqn.2000-01.a:b", address: "10.0.0.1", target: "a" };

Deno.test("Reloader applies a good conf, and logs each change", () =>
  withReloader(async ({ file, supervisor, reloader, log, write }) => {
    await write(["[a]", "size=1MB", "[b]", "size=1MB"]);
    supervisor.changes = [{ description: "do a thing", consequence: "told", sessions: [SESSION] }];
    const dry = await reloader.reload({ file, force: false, dryRun: true });
    assertEquals([dry.changes, supervisor.deeds, log.lines], [supervisor.changes, ["preview"], []]);
    const report = await reloader.reload({ file, force: false, dryRun: false });
    assertEquals(report, { dryRun: false, changes: supervisor.changes, obstacle: null });
    assertEquals(supervisor.deeds.slice(1), ["preview", "reconfigure a b", "done"]);
    assertEquals(log.lines, [
      "info: Conf reloaded: do a thing (1: sessions get a unit attention)",
    ]);
    supervisor.changes = [];
    await reloader.reload({ file, force: false, dryRun: false });
    assertEquals(log.lines.at(-1), "info: Conf reloaded, no changes");
  }));

Deno.test("Reloader rejects a conf that has errors, was not built, is another file, or is gone", () =>
  withReloader(async ({ folder, file, supervisor, reloader, log, write }) => {
    const reload = (named = file): Promise<unknown> =>
      reloader.reload({ file: named, force: true, dryRun: false });
    await write(["[a]", "size=1MB", "bad=1", "worse=2"], { build: false });
    const errors = await assertRejects(() => reload(), Error, `${file}:4: Unknown option "bad"`);
    assertStringIncludes(errors.message, `\n${file}:5: Unknown option "worse"`);
    assertEquals(log.lines.length, 2);
    await write(["[new]", "size=1MB"], { build: false });
    await assertRejects(() => reload(), Error, `run "iscsi build --conf ${file}"`);
    await assertRejects(() => reload(`${folder}/other`), Error, `reads "${file}", not "${folder}/other"`);
    Deno.removeSync(file);
    await assertRejects(() => reload(), Deno.errors.NotFound, file);
    assertEquals(supervisor.deeds, ["preview"]);
    const summaries = log.lines.map((line) => line.split(": ")[1]);
    const [rejected, failed] = [
      "Conf rejected, keeping the old one",
      "Reload failed, configuration unchanged",
    ];
    assertEquals(summaries, [...Array<string>(4).fill(rejected), failed, failed]);
  }));

Deno.test("Reloader takes a conf without targets for an accident unless forced", () =>
  withReloader(async ({ folder, file, supervisor, reloader, write }) => {
    const reload = (force: boolean): Promise<unknown> => reloader.reload({ file, force, dryRun: false });
    const refusal = "The conf has no targets, but one is served";
    for (const text of ["", "# to be written\n", `storage=${folder}/s\n`]) {
      Deno.writeTextFileSync(file, text);
      await assertRejects(() => reload(false), Error, `${refusal}; use --force`);
      assertEquals((await reloader.reload({ file, force: false, dryRun: true })).obstacle, refusal);
    }
    assertEquals(supervisor.deeds.filter((deed) => deed !== "preview"), []);
    await write([]);
    await reload(true);
    assertEquals(supervisor.serving.config.targets, []);
    await reload(false);
  }));

Deno.test("Reloader retries unavailable LUNs, and serves them when their files are back", () =>
  withReloader(async ({ folder, supervisor, reloader, log }) => {
    const path = `${folder}/s/a`;
    await reloader.retryUnavailable();
    assertEquals(supervisor.deeds, [], "everything is there");
    Deno.renameSync(path, `${path}.away`);
    const reason = findExports(supervisor.serving.config).unavailable.get(path)!.reason;
    supervisor.serving = { ...supervisor.serving, unavailable: new Map([[path, reason]]) };
    await reloader.retryUnavailable();
    assertEquals(supervisor.deeds, [], "nothing is new");
    Deno.renameSync(`${path}.away`, path);
    await Promise.all([reloader.retryUnavailable(), reloader.retryUnavailable()]);
    assertEquals([supervisor.deeds, supervisor.serving.unavailable.size], [["reconfigure a", "done"], 0]);
    assertEquals([...supervisor.serving.identities.keys()], [path]);
    supervisor.serving = { ...supervisor.serving, unavailable: new Map([[path, "another reason"]]) };
    supervisor.gate = Promise.reject(new Error("no"));
    supervisor.gate.catch(() => {});
    await reloader.retryUnavailable();
    assertEquals(log.lines, ["warning: Cannot serve LUNs that were unavailable: no; trying again"]);
  }));

for (
  const [what, devices, deed] of [["checks every time", [], 14], [
    "rarely checks",
    ["/dev/none"],
    24,
  ]] as const
) {
  Deno.test(`Reloader ${what} for a missing file, with ${devices.length} block devices in the conf`, () =>
    withReloader(async ({ folder, supervisor, reloader }) => {
      const path = `${folder}/s/a`;
      Deno.renameSync(path, `${path}.away`);
      const reason = findExports(supervisor.serving.config).unavailable.get(path)!.reason;
      const unavailable = new Map([[path, reason]]);
      const exports = devices.map((device) => ({ path: device, readOnly: false, number: "7:0", layers: [] }));
      supervisor.serving = { ...supervisor.serving, devices: exports, unavailable };
      let looks = 0;
      for (; looks < 13; looks++) await reloader.retryUnavailable();
      Deno.renameSync(`${path}.away`, path);
      for (; supervisor.deeds.length === 0 && looks < 100; looks++) await reloader.retryUnavailable();
      assertEquals(looks, deed);
    }));
}

Deno.test("Reloader applies a conf although an unchanged LUN cannot be served", () =>
  withReloader(async ({ folder, file, supervisor, reloader, log, write }) => {
    await write(["[a]", "size=1MB", "[b]", "size=1MB"]);
    Deno.truncateSync(`${folder}/s/a`, 512);
    const reload = (): Promise<unknown> => reloader.reload({ file, force: false, dryRun: false });
    await reload();
    const [[path, reason] = []] = [...supervisor.serving.unavailable];
    assertEquals(path, `${folder}/s/a`);
    assertEquals(log.lines[0], `warning: ${reason}; its LUN is served while the file stays open`);
    await write(["[a]", "size=2MB", "[b]", "size=1MB"], { build: false });
    await assertRejects(reload, Error, `${folder}/s/a`);
  }));

Deno.test("Reloader runs one reload at a time, with the conf at the time of its start", () =>
  withReloader(async ({ file, supervisor, reloader, write }) => {
    const gate = Promise.withResolvers<void>();
    supervisor.gate = gate.promise;
    const request = { file, force: false, dryRun: false };
    const works = [reloader.reload(request), reloader.reload(request)];
    while (supervisor.deeds.length < 2) await new Promise((resolve) => setTimeout(resolve, 0));
    await write(["[b]", "size=1MB"]);
    gate.resolve();
    await Promise.all(works);
    const [first, second] = [["preview", "reconfigure a", "done"], ["preview", "reconfigure b", "done"]];
    assertEquals(supervisor.deeds, [...first, ...second]);
  }));

Deno.test("Reloader ends sessions only when forced, and moves to another storage folder with its lock", () =>
  withReloader(async ({ folder, file, supervisor, reloader, moves, write }) => {
    await write(["[a]", "size=1MB"], { storage: "t" });
    const change = { description: "set storage from s to t", consequence: "ended" } as const;
    supervisor.changes = [{ ...change, sessions: [SESSION, SESSION] }];
    const reload = (force: boolean): Promise<unknown> => reloader.reload({ file, force, dryRun: false });
    const refusal = "Cannot set storage from s to t without ending all 2 sessions; use --force";
    await assertRejects(() => reload(false), Error, refusal);
    assertEquals(
      (await reloader.reload({ file, force: false, dryRun: true })).obstacle,
      refusal.split(";")[0],
    );
    const taken = await StorageLock.acquire(stateFolderOf(`${folder}/t`), "serve");
    await assertRejects(
      () => reload(true),
      Error,
      `Cannot serve "${folder}/t": process ${Deno.pid} serves it already`,
    );
    if ("lock" in taken) taken.lock.release();
    assertEquals(moves, []);
    await reload(true);
    assertEquals([moves, supervisor.deeds.at(-1)], [[`${folder}/t`], "replace t"]);
    assertEquals(StorageLock.holder(stateFolderOf(`${folder}/t`), "serve")?.holderPid, Deno.pid);
    // A change that affects no session needs no force.
    await write(["[a]", "size=1MB"]);
    supervisor.changes = [{ ...change, sessions: [] }];
    await reload(false);
    assertEquals(StorageLock.holder(stateFolderOf(`${folder}/t`), "serve"), undefined);
    assertEquals(StorageLock.holder(stateFolderOf(`${folder}/s`), "serve")?.holderPid, Deno.pid);
    await supervisor.serving.lease.end();
  }));

Deno.test("Reloader changes the node by a new worker on the same folder", () =>
  withReloader(async ({ file, supervisor, reloader, write }) => {
    await write(["node=iqn.2001-01.other", "[a]", "size=1MB"]);
    supervisor.changes = [{ description: "set node", consequence: "ended", sessions: [] }];
    await reloader.reload({ file, force: false, dryRun: false });
    assertEquals([supervisor.deeds.at(-1), supervisor.serving.lease === LEASE], ["replace s", true]);
  }));
