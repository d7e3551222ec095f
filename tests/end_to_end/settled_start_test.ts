/** A starting server puts the files that it reads on stable storage before any initiator can reach it. */
import { assert, assertEquals } from "@std/assert";
import { dirname } from "@std/path";
import { testUnitReady } from "../support/initiator_cdb.ts";
import { iscsiCommand, runIscsi } from "../support/server_process.ts";
import { testWithTools } from "../support/tools.ts";
import { APTPL, REGISTER, reserveOut } from "./_reserve_out.ts";
import { Appliance } from "./appliance.ts";

const CONF = "[disk]\nsize = 16MB\nfile = deep/disk\nnetworks = 127.0.0.0/8\n";
const DISK = "iqn.2002-08.info.netmanager:disk";

/** Returns a folder and all its parents. */
function foldersUp(path: string): string[] {
  return path === "/" ? ["/"] : [path, ...foldersUp(dirname(path))];
}

/** Starts a server and ends it, and returns what it has put on stable storage before it took an address. */
async function traceStart(appliance: Appliance): Promise<string[]> {
  const { program, args } = iscsiCommand();
  const trace = `${appliance.folder}/trace`;
  const child = new Deno.Command("strace", {
    args: [
      "-f",
      "-y",
      "-e",
      "trace=fsync,bind",
      "-o",
      trace,
      program,
      ...args,
      "serve",
      "--conf",
      appliance.confPath,
    ],
    stdout: "piped",
    stderr: "null",
  }).spawn();
  let text = "";
  for await (const piece of child.stdout.pipeThrough(new TextDecoderStream())) {
    text += piece;
    if (!text.includes("ready\n")) continue;
    const { stdout } = await runIscsi(["status", "--conf", appliance.confPath, "--json"]);
    Deno.kill(JSON.parse(stdout).server.pid, "SIGTERM");
  }
  await child.status;
  const lines = Deno.readTextFileSync(trace).split("\n");
  const portal = lines.findIndex((line) => line.includes("sa_family=AF_INET"));
  assert(portal > 0, lines.join("\n"));
  return lines.slice(0, portal).flatMap((line) => /fsync\(\d+<([^>]*)>/.exec(line)?.[1] ?? []);
}

testWithTools(
  "identities, reservations and all names are durable before a server listens",
  ["strace"],
  async () => {
    using appliance = Appliance.create(CONF);
    {
      const server = await appliance.serve();
      await using initiator = await appliance.login({ targetName: DISK });
      await initiator.command({ cdb: testUnitReady() });
      await reserveOut(initiator, 0, REGISTER, { newKey: "0000000000000001", flags: APTPL });
      await server.kill();
    }
    const state = `${appliance.storage}/.iscsi`;
    const [{ name } = { name: "" }] = [...Deno.readDirSync(`${state}/reservations`)];
    const synced = new Set(await traceStart(appliance));
    const expected = [
      `${state}/identities.json`,
      `${state}/reservations/${name}`,
      `${state}/reservations`,
      `${appliance.storage}/deep`,
      ...foldersUp(state),
    ];
    assertEquals(expected.filter((path) => !synced.has(path)), []);
  },
);
