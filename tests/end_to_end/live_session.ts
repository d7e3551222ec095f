/**
 * A day in the life of a server: eight initiators do verified I/O while its conf gains a target, grows a LUN, loses a
 * LUN, changes an access rule and is broken by a typing error. Run it with
 * `deno run -A tests/end_to_end/live_session.ts`.
 */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { DiligentInitiator, type DiligentOptions } from "../support/diligent_initiator.ts";
import type { ServerProcess } from "../support/server_process.ts";
import type { ToolResult } from "../support/tools.ts";
import { Appliance } from "./appliance.ts";

const NODE = "iqn.2002-08.info.netmanager";

/** Rounds of write, read and comparison that each initiator does between two changes. */
const ROUNDS = 5;

/** The initiators, each with its target and LUN. */
const CREW: Readonly<Record<string, Pick<DiligentOptions, "lun"> & { readonly target: string }>> = {
  anna: { target: "quiet" },
  bert: { target: "quiet" },
  cora: { target: "elsewhere" },
  dirk: { target: "pair", lun: 0 },
  edda: { target: "pair", lun: 1 },
  finn: { target: "grows" },
  gina: { target: "guarded" },
  hugo: { target: "guarded" },
};

function nameOf(initiator: string): string {
  return `iqn.2000-01.test:${initiator}`;
}

/** The server, the initiators at work, and the changes that they have noticed. */
class Scene {
  readonly appliance: Appliance;
  readonly server: ServerProcess;
  readonly crew = new Map<string, DiligentInitiator>();
  readonly #tell: (line: string) => void;
  readonly #noticed = new Map<string, number>();

  constructor(appliance: Appliance, server: ServerProcess, tell: (line: string) => void) {
    this.appliance = appliance;
    this.server = server;
    this.#tell = tell;
  }

  async join(name: string, target: string, lun = 0): Promise<void> {
    const index = this.crew.size;
    const initiator = await DiligentInitiator.start({
      port: this.appliance.port,
      targetName: `${NODE}:${target}`,
      initiatorName: nameOf(name),
      isid: Uint8Array.of(0x80, 0, 0, 0, 0, index),
      lba: index * 256,
      lun,
    });
    this.crew.set(name, initiator);
    this.#noticed.set(name, 0);
  }

  /** Runs a command of the program and prints its output. */
  async run(what: string, result: Promise<ToolResult>): Promise<ToolResult> {
    const { code, stdout, stderr } = await result;
    this.#tell(`$ ${what}   (exit code ${code})`);
    for (const line of `${stdout}${stderr}`.trimEnd().split("\n")) this.#tell(`  ${line}`);
    return { code, stdout, stderr };
  }

  /** Checks that the named initiators notice exactly this, and that all go on except those without a disk. */
  async expect(
    noticed: Readonly<Record<string, readonly string[]>>,
    gone: readonly string[] = [],
  ): Promise<void> {
    for (const [name, initiator] of this.crew) {
      const wanted = noticed[name] ?? [];
      const before = this.#noticed.get(name)!;
      if (gone.includes(name)) await initiator.ended;
      else await initiator.untilRounds(ROUNDS);
      assertEquals(initiator.diary.slice(before), wanted, `${name} notices`);
      this.#noticed.set(name, initiator.diary.length);
      const what = wanted.length === 0 ? "nothing" : wanted.join(", ");
      this.#tell(`  ${name}: ${initiator.rounds} rounds verified, notices ${what}`);
      if (!gone.includes(name)) continue;
      await initiator.stop();
      this.crew.delete(name);
    }
  }

  say(line: string): void {
    this.#tell("");
    this.#tell(`# ${line}`);
  }

  async end(): Promise<void> {
    for (const initiator of this.crew.values()) await initiator.stop();
  }
}

function confOf(
  folder: string,
  change: Partial<Record<"pair" | "grows" | "guarded" | "more", string>> = {},
): string {
  const sections = [
    ...["networks = 127.0.0.0/8", "connections = 32"],
    ...["[quiet]", "size = 2MB", "[elsewhere]", "size = 2MB", `file = ${folder}/elsewhere/disk`],
    ...["[pair]", `size = ${change.pair ?? "4MB 4MB"}`, "[grows]", `size = ${change.grows ?? "4MB"}`],
    ...["[guarded]", "size = 4MB", `initiators = ${change.guarded ?? `${nameOf("gina")} ${nameOf("hugo")}`}`],
    change.more ?? "",
  ];
  return `${sections.join("\n")}\n`;
}

/** Plays the day; throws when an initiator notices a change that is not its own, or misses one that is. */
export async function liveSession(tell: (line: string) => void): Promise<void> {
  using appliance = Appliance.create("");
  const { folder } = appliance;
  Deno.mkdirSync(`${folder}/elsewhere`);
  appliance.writeConf(confOf(folder));
  await using server = await appliance.serve();
  const scene = new Scene(appliance, server, tell);
  try {
    scene.say("Eight initiators at five targets");
    for (const [name, { target, lun }] of Object.entries(CREW)) await scene.join(name, target, lun);
    await scene.expect({});
    await changeConf(scene);
    await breakConf(scene);
    const begun = server.stderr.split("\n").filter((line) => line.endsWith("session begins"));
    assertEquals(begun.length, Object.keys(CREW).length + 1, "nobody has logged in again");
  } finally {
    await scene.end();
  }
}

async function changeConf(scene: Scene): Promise<void> {
  const { appliance } = scene;
  const { folder } = appliance;
  const build = (): Promise<ToolResult> => scene.run("iscsi build", appliance.build());
  const more = `[late]\nsize = 4MB\nfile = ${folder}/elsewhere/late`;
  scene.say("The conf gains a target, whose file the worker has no right to by name");
  appliance.writeConf(confOf(folder, { more }));
  const dry = await scene.run("iscsi build --dry-run", appliance.build("--dry-run"));
  assertStringIncludes(dry.stdout, "add target [late] with 1 LUN");
  assertEquals((await build()).code, 0);
  await scene.join("ines", "late");
  await scene.expect({});

  scene.say("A LUN grows");
  appliance.writeConf(confOf(folder, { more, grows: "6MB" }));
  const preview = await scene.run("iscsi build --dry-run", appliance.build("--dry-run"));
  assertStringIncludes(preview.stdout, `${nameOf("finn")} (127.0.0.1) at [grows]`);
  assertEquals((await build()).code, 0);
  await scene.expect({ finn: ["2a09"] });

  scene.say("A LUN goes");
  appliance.writeConf(confOf(folder, { more, grows: "6MB", pair: "4MB" }));
  assertEquals((await build()).code, 0);
  await scene.expect({ dirk: ["3f0e"], edda: ["2500"] }, ["edda"]);

  scene.say("An access rule changes");
  appliance.writeConf(confOf(folder, { more, grows: "6MB", pair: "4MB", guarded: nameOf("gina") }));
  assertEquals((await build()).code, 0);
  await scene.expect({ hugo: ["asked to log out", "login refused: 203"] }, ["hugo"]);
}

async function breakConf(scene: Scene): Promise<void> {
  const { appliance, server } = scene;
  scene.say("The conf is broken by a typing error");
  const broken = confOf(appliance.folder).replace("networks", "netwroks");
  appliance.writeConf(broken);
  const refused = await scene.run("iscsi build", appliance.build());
  assertEquals(refused.code, 3);
  assertMatch(refused.stderr, /iscsi\.conf:3: Unknown option "netwroks": did you mean "networks"\?/);
  await scene.run(`kill -HUP ${server.pid}`, hangUp(server));
  await scene.expect({});
}

async function hangUp(server: ServerProcess): Promise<ToolResult> {
  const before = server.stderr.length;
  Deno.kill(server.pid, "SIGHUP");
  await server.waitForLog("Conf rejected, keeping the old one");
  return { code: 0, stdout: "", stderr: server.stderr.slice(before) };
}

if (import.meta.main) await liveSession((line) => console.log(line));
