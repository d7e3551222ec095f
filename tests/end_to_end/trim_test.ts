/** `iscsi trim` with the program: beside a server with initiators, and without one. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import type { Initiator } from "../support/initiator.ts";
import { read10, testUnitReady, write10 } from "../support/initiator_cdb.ts";
import { numberFromEnvironment, Random } from "../support/seeded_random.ts";
import { iscsiCommand, runIscsi } from "../support/server_process.ts";
import { testWithTools, type ToolResult } from "../support/tools.ts";
import { untilAsked } from "../support/until.ts";
import { Appliance } from "./appliance.ts";

const SEED = numberFromEnvironment("FUZZ_SEED", 20070117);
const MIB = 1024 ** 2;
const TARGET = "iqn.2002-08.info.netmanager:disk";
const CONF = "[disk]\nsize = 16MB 8MB\nnetworks = 127.0.0.0/8\n[fixed]\nsize = 8MB\nreadonly = y\n";
/** Parts of 8 MiB of the first LUN. */
const PARTS = 2;
/** Blocks of one command, and the bytes. */
const BLOCKS = 64;
const PIECE = BLOCKS * 512;

function allocatedBytes(appliance: Appliance, file = "disk"): number {
  return Deno.statSync(`${appliance.storage}/${file}`).blocks! * 512;
}

/** Fills a file with zeros that take space, with a byte that is not zero in every part of 8 MiB. */
function fill(appliance: Appliance, parts = PARTS): void {
  using file = Deno.openSync(`${appliance.storage}/disk`, { write: true });
  const part = new Uint8Array(8 * MIB);
  part[MIB] = 7;
  for (let count = 0; count < parts; count++) file.writeSync(part);
}

function trim(appliance: Appliance, ...args: readonly string[]): Promise<ToolResult> {
  return runIscsi(["trim", "--conf", appliance.confPath, ...args]);
}

async function trimProgress(appliance: Appliance): Promise<{ examinedBytes: number } | null> {
  const { stdout } = await runIscsi(["status", "--json", "--conf", appliance.confPath]);
  return JSON.parse(stdout).targets[0].logicalUnits[0].trim;
}

async function logIn(appliance: Appliance): Promise<Initiator> {
  const initiator = await appliance.login({ targetName: TARGET });
  await initiator.command({ cdb: testUnitReady() });
  return initiator;
}

testWithTools(
  "iscsi trim gives the zeros of a served LUN back, and loses no write",
  ["fallocate"],
  async () => {
    using appliance = Appliance.create(CONF);
    await appliance.build();
    fill(appliance);
    await using _server = await appliance.serve();
    await using initiator = await logIn(appliance);
    const random = new Random(SEED);
    const expected = new Map<number, number>();
    let isOver = false;
    const write = async (lane: number): Promise<void> => {
      while (!isOver) {
        // A lane has pieces of its own, among which are zeros.
        const piece = random.below(128) * 4 + lane;
        const value = random.oneIn(3) ? 0 : 1 + random.below(255);
        const data = new Uint8Array(PIECE).fill(value);
        assertEquals(
          (await initiator.command({ cdb: write10(piece * BLOCKS, BLOCKS), write: data })).status,
          0,
        );
        expected.set(piece, value);
      }
    };
    const writes = [0, 1, 2, 3].map(write);
    try {
      for (let round = 0; round < 2; round++) {
        const { code, stdout, stderr } = await trim(appliance, "disk/0");
        assertEquals([code, stderr], [0, ""]);
        assertMatch(stdout, /^LUN 0 of \[disk\]: .* given back; takes .* of 16 MB/);
      }
    } finally {
      isOver = true;
      await Promise.all(writes);
    }
    for (const [piece, value] of expected) {
      const { data } = await initiator.command({ cdb: read10(piece * BLOCKS, BLOCKS), read: PIECE });
      assert(data.every((byte) => byte === value), `piece ${piece} is not ${value}, FUZZ_SEED=${SEED}`);
    }
    const marked = 9 * MIB / 512;
    const untouched = !expected.has(Math.floor(marked / BLOCKS));
    const { data } = await initiator.command({ cdb: read10(marked, 1), read: 512 });
    assert(!untouched || data[0] === 7);
    assertEquals((await trim(appliance, "disk/0")).code, 0);
    const nonZero = [...expected.values()].filter((value) => value !== 0).length * PIECE;
    const excess = allocatedBytes(appliance) - nonZero - PARTS * 4096;
    assert(excess <= 64 * 1024, `${excess} bytes of zeros take space, FUZZ_SEED=${SEED}`);
  },
);

testWithTools("iscsi trim is shown by status, and ended by Ctrl-C", ["fallocate"], async () => {
  using appliance = Appliance.create(CONF.replace("16MB", "64MB"));
  await appliance.build();
  fill(appliance, 8);
  await using _server = await appliance.serve();
  const { program, args } = iscsiCommand();
  const child = new Deno.Command(program, {
    args: [...args, "trim", "disk/0", "--rate", "1MB", "--json", "--conf", appliance.confPath],
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  await untilAsked(
    async () => ((await trimProgress(appliance))?.examinedBytes ?? 0) > 2 * MIB,
    "it makes progress",
  );
  const status = await runIscsi(["status", "--conf", appliance.confPath]);
  assertMatch(status.stdout, /being trimmed: \d+ %, zeros in /);
  const second = await trim(appliance, "disk");
  assertEquals(second.code, 1);
  assertStringIncludes(second.stderr, "is being trimmed already");
  assertMatch(second.stdout, /^LUN 1 of \[disk\]: 0 bytes given back/m);
  child.kill("SIGINT");
  const { code, stdout, stderr } = await child.output();
  assertEquals([code, new TextDecoder().decode(stderr)], [
    130,
    "iscsi: Interrupted; what was given back stays so\n",
  ]);
  const lines = new TextDecoder().decode(stdout).trim().split("\n").map((line) => JSON.parse(line));
  assert(
    lines.length > 0 &&
      lines.every(({ kind, target, lun }) => `${kind} ${target}/${lun}` === "progress disk/0"),
  );
  await untilAsked(async () => await trimProgress(appliance) === null, "the server has ended it");
  assert(allocatedBytes(appliance) > 4 * MIB);
});

testWithTools("iscsi trim does it alone where no server runs", ["fallocate"], async () => {
  using appliance = Appliance.create(CONF);
  await appliance.build();
  fill(appliance);
  const { code, stdout } = await trim(appliance, "--json");
  assertEquals(code, 0);
  const results = stdout.trim().split("\n").map((line) => JSON.parse(line)).filter(({ kind }) =>
    kind === "result"
  );
  assertEquals(results.map(({ target, lun }) => `${target}/${lun}`), ["disk/0", "disk/1"]);
  assertEquals(results[0].allocatedBytes, allocatedBytes(appliance));
  assert(results[0].allocatedBytesBefore >= 16 * MIB);
  assert(allocatedBytes(appliance) <= PARTS * 4096 + 64 * 1024);
  using file = Deno.openSync(`${appliance.storage}/disk`);
  const content = new Uint8Array(16 * MIB);
  for (let filled = 0; filled < content.length;) filled += file.readSync(content.subarray(filled))!;
  assertEquals(content.reduce((sum, byte) => sum + byte, 0), PARTS * 7);
  await using _server = await appliance.serve();
});

testWithTools("iscsi trim refuses what it cannot trim, with the reason", ["fallocate"], async () => {
  using appliance = Appliance.create(CONF);
  await appliance.build();
  async function assertRefusals(): Promise<void> {
    const rows = [
      [["fixed"], 1, "is read-only"],
      [["disk/7"], 1, 'Nothing to trim: there is no "disk/7"'],
      [["--rate", "512"], 2, "write at least 1MB"],
      [["--rate", "fast"], 2, 'Cannot use --rate "fast"'],
    ] as const;
    for (const [args, expected, message] of rows) {
      const { code, stderr } = await trim(appliance, ...args);
      assertStringIncludes(stderr, message);
      assertEquals(code, expected);
    }
  }
  await assertRefusals();
  await using _server = await appliance.serve();
  await assertRefusals();
});

testWithTools("iscsi trim reads only what takes space", ["fallocate", "filefrag"], async () => {
  using appliance = Appliance.create("[disk]\nsize = 4TB\n");
  await appliance.build();
  {
    using file = Deno.openSync(`${appliance.storage}/disk`, { write: true });
    file.seekSync(2 ** 41, Deno.SeekMode.Start);
    file.writeSync(new Uint8Array(4 * MIB));
    file.writeSync(Uint8Array.of(1));
  }
  for (const isServed of [false, true]) {
    await using _server = isServed ? await appliance.serve() : undefined;
    const { stdout } = await trim(appliance, "--json");
    const { kind, releasedBytes, examinedBytes } = JSON.parse(stdout.trim().split("\n").at(-1)!);
    assertEquals([kind, examinedBytes, releasedBytes], ["result", 2 ** 42, isServed ? 0 : 4 * MIB]);
  }
});
