/** Copies of disks that initiators write to, by the real program; and what is left when something is killed. */
import { statfsSync } from "node:fs";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { delay } from "../../lib/base/delay.ts";
import type { Initiator } from "../support/initiator.ts";
import { testUnitReady } from "../support/initiator_cdb.ts";
import { History, RecordWriter, verifyCopy } from "../support/record_writers.ts";
import { numberFromEnvironment, Random } from "../support/seeded_random.ts";
import { SLOT_BYTES } from "../support/writing_commands.ts";
import { iscsiCommand, runIscsi, type ServerProcess } from "../support/server_process.ts";
import { type FileSystemName, testOnFileSystem } from "../support/small_file_system.ts";
import {
  findLoopObstacle,
  findMountObstacle,
  findNodeObstacle,
  findSysfsObstacle,
  testUnless,
} from "../support/obstacles.ts";
import { runTool, runToolOk, testWithTools } from "../support/tools.ts";
import { Appliance } from "./appliance.ts";
import { copyArguments, startCommand, temporaries, untilGone } from "./copying.ts";

const MIB = 1024 ** 2;
const DISK_BYTES = 16 * MIB;
const CONF = "[disk]\nsize = 16MB\nnetworks = 127.0.0.0/8\n[spare]\nsize = 32MB\nnetworks = 127.0.0.0/8\n";
const WRITERS = 8;

/** Writers at work at LUN 0 of `disk`. */
class Writers implements AsyncDisposable {
  readonly history = new History();
  readonly writers: readonly RecordWriter[];
  readonly #initiators: readonly Initiator[];
  readonly #running: Promise<void>[];

  private constructor(initiators: readonly Initiator[], random: Random, erases: boolean) {
    const slots = DISK_BYTES / SLOT_BYTES / WRITERS;
    this.#initiators = initiators;
    this.writers = initiators.map((initiator, number) =>
      new RecordWriter(initiator, {
        ...{ history: this.history, random, number, firstSlot: number * slots, slots, erases },
      })
    );
    this.#running = this.writers.map((writer) => writer.run());
    // A failure is reported at the end.
    for (const running of this.#running) running.catch(() => {});
  }

  static async start(appliance: Appliance, seed: number, erases = false): Promise<Writers> {
    const initiators: Initiator[] = [];
    for (let number = 0; number < WRITERS; number++) {
      const isid = Uint8Array.of(0x80, 0, 0, 0, 0, number);
      const initiator = await appliance.login({ targetName: "iqn.2002-08.info.netmanager:disk", isid });
      for (let times = 0; times < 3; times++) await initiator.command({ cdb: testUnitReady() });
      initiators.push(initiator);
    }
    return new Writers(initiators, new Random(seed), erases);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const writer of this.writers) writer.stop();
    await Promise.all(this.#running);
    for (const initiator of this.#initiators) await initiator.close();
  }
}

/** Runs a command of the program, with its output in a file. */
async function runInto(path: string, args: readonly string[]): Promise<{ code: number; stderr: string }> {
  const { program, args: first } = iscsiCommand();
  const words = [program, ...first, ...args].map((word) => `'${word}'`).join(" ");
  return await runTool("sh", ["-c", `${words} > '${path}'`]);
}

async function copyUnderLoad(
  appliance: Appliance,
  folder: string,
  expected: "copied" | "shared",
): Promise<void> {
  const seed = numberFromEnvironment("COPY_SEED", Date.now() >>> 0);
  await using _server = await appliance.serve();
  await using load = await Writers.start(appliance, seed, true);
  const { writers, history } = load;
  const methods: string[] = [];
  for (let round = 0; round < numberFromEnvironment("COPY_COUNT", 2); round++) {
    const path = `${folder}/copy-${round}`;
    const from = history.next();
    const { code, stdout, stderr } = await untilUndisturbed(() =>
      runIscsi(copyArguments(appliance, "--json", "disk", path))
    );
    assertEquals([code, stderr], [0, ""]);
    methods.push(JSON.parse(stdout.trim().split("\n").at(-1)!).method);
    verify(Deno.readFileSync(path), writers, { from, to: history.next() }, seed);
    Deno.removeSync(path);
  }
  // On a busy machine, one of them may take longer than writes are held.
  assert(methods.includes(expected), `copies were ${methods}`);
  // A small file system has no room for it.
  const path = `${appliance.folder}/stream`;
  const from = history.next();
  const { code, stderr } = await untilUndisturbed(() => runInto(path, copyArguments(appliance, "disk", "-")));
  assertEquals(code, 0, stderr);
  verify(Deno.readFileSync(path), writers, { from, to: history.next() }, seed);
}

/** Repeats a copy that was refused because an initiator erases the disk at the time. */
async function untilUndisturbed<Result extends { readonly stderr: string }>(
  copy: () => Promise<Result>,
): Promise<Result> {
  for (let attempt = 0; attempt < 20; attempt++) {
    const result = await copy();
    if (!result.stderr.includes("it is being erased; try again later")) return result;
  }
  throw new Error("the disk is erased all the time");
}

function verify(
  copy: Uint8Array,
  writers: readonly RecordWriter[],
  moments: { readonly from: number; readonly to: number },
  seed: number,
): void {
  assertEquals(copy.length, DISK_BYTES);
  try {
    verifyCopy(copy, writers, moments);
  } catch (error) {
    throw new Error(`COPY_SEED=${seed}`, { cause: error });
  }
}

Deno.test("copies of a disk that eight initiators write to are the disk at one moment", async () => {
  using appliance = Appliance.create(CONF);
  await copyUnderLoad(appliance, appliance.folder, "copied");
  assertEquals(temporaries(appliance.folder), []);
  assertEquals(copyFiles(appliance), []);
});

for (const kind of ["xfs", "btrfs"] satisfies FileSystemName[]) {
  testOnFileSystem(
    `copies on ${kind} share blocks, and are the disk at one moment`,
    kind,
    async ({ folder }) => {
      using appliance = Appliance.create(CONF);
      Deno.symlinkSync(`${folder}/storage`, appliance.storage);
      Deno.mkdirSync(`${folder}/storage`);
      await copyUnderLoad(appliance, folder, "shared");
    },
  );
}

Deno.test("a reader that stops holds no initiator up, and gets the disk as it was", async () => {
  using appliance = Appliance.create(CONF);
  await using _server = await appliance.serve();
  await using load = await Writers.start(appliance, numberFromEnvironment("COPY_SEED", 1));
  const { writers, history } = load;
  const { program, args } = iscsiCommand();
  const from = history.next();
  const words = [...args, ...copyArguments(appliance, "disk", "-")];
  const command = new Deno.Command(program, { args: words, stdout: "piped", stderr: "null" }).spawn();
  const reader = command.stdout.getReader();
  const pieces = [(await reader.read()).value!];
  const before = writers.reduce((sum, { count }) => sum + count, 0);
  await delay(1500);
  const written = writers.reduce((sum, { count }) => sum + count, 0) - before;
  const to = history.next();
  for (let piece = await reader.read(); !piece.done; piece = await reader.read()) pieces.push(piece.value);
  assertEquals((await command.status).code, 0);
  assert(written > 50, `initiators wrote ${written} records while the reader waited`);
  const copy = new Uint8Array(await new Blob(pieces).arrayBuffer());
  verify(copy, writers, { from, to }, 1);
});

testOnFileSystem("a destination without room fails the copy before it begins", "ext4", async ({ folder }) => {
  using appliance = Appliance.create(CONF);
  assertEquals((await appliance.build()).code, 0);
  {
    using file = Deno.openSync(`${appliance.storage}/disk`, { write: true });
    file.writeSync(new Uint8Array(12 * MIB).fill(1));
  }
  await using _server = await appliance.serve();
  const { code, stderr } = await runIscsi(copyArguments(appliance, "disk", `${folder}/copy`));
  assertEquals(code, 1);
  assertMatch(
    stderr,
    /^iscsi: Cannot copy to ".*": the file system has .* left for it .* needs .* MB; free space or choose another/,
  );
  assertEquals(temporaries(folder), []);
  assertEquals((await runIscsi(copyArguments(appliance, "disk", `${appliance.folder}/copy`))).code, 0);
});

/** Returns the bytes that are free in the file system of a folder. */
function freeBytes(folder: string): number {
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize;
}

/** Takes the rest of a file system, and returns the file that has it. */
function fillUp(folder: string): string {
  const path = `${folder}/filler`;
  using file = Deno.openSync(path, { write: true, create: true });
  const bytes = new Uint8Array(64 * 1024);
  try {
    while (file.writeSync(bytes) > 0);
  } catch (error) {
    assertMatch(String(error), /os error 28/);
  }
  return path;
}

testUnless(
  findMountObstacle(),
  "a destination that fills up half-way fails the copy, and neither the disk nor what was there",
  async () => {
    using appliance = Appliance.create(CONF);
    await using server = await appliance.serve();
    const folder = `${appliance.folder}/small`;
    Deno.mkdirSync(folder);
    await runToolOk("mount", ["-t", "tmpfs", "-o", "size=24m", "none", folder]);
    try {
      Deno.writeTextFileSync(`${folder}/copy`, "before");
      const before = freeBytes(folder);
      await using load = await Writers.start(appliance, numberFromEnvironment("COPY_SEED", 1));
      const args = copyArguments(appliance, "--rate", "2MB", "--force", "disk", `${folder}/copy`);
      const command = startCommand(args, { stderr: "piped" });
      await server.waitForLog("Copying LUN 0 of [disk]", 20_000);
      await untilCopied(folder, MIB);
      const filler = fillUp(folder);
      const { code, stderr } = await command.output();
      assertEquals(code, 1);
      assertMatch(
        new TextDecoder().decode(stderr),
        /^iscsi: Cannot copy to ".*copy": .*(space|room|left for it)/,
      );
      assertEquals(temporaries(folder), []);
      assertEquals(Deno.readTextFileSync(`${folder}/copy`), "before");
      Deno.removeSync(filler);
      await untilGone(() => copyFiles(appliance));
      assertEquals(freeBytes(folder), before);
      // The writers go on, and the next copy is the disk at one moment.
      const from = load.history.next();
      const { writers } = load;
      const done = await runIscsi(copyArguments(appliance, "--force", "disk", `${folder}/copy`));
      assertEquals([done.code, done.stderr], [0, ""]);
      verify(Deno.readFileSync(`${folder}/copy`), writers, { from, to: load.history.next() }, 1);
    } finally {
      await runToolOk("umount", ["--lazy", folder]);
    }
  },
);

/** Waits until an unfinished copy in a folder takes this much space. */
async function untilCopied(folder: string, bytes: number): Promise<void> {
  for (let round = 0; round < 400; round++) {
    const [name] = temporaries(folder);
    if (name !== undefined && (Deno.statSync(`${folder}/${name}`).blocks ?? 0) * 512 >= bytes) return;
    await delay(25);
  }
  throw new Error(`no copy in "${folder}" takes ${bytes} bytes`);
}

/** Returns the files that commands and the server share for copies. */
function copyFiles(appliance: Appliance): string[] {
  return [...Deno.readDirSync(`${appliance.storage}/.iscsi/links/read-write`)]
    .map(({ name }) => name).filter((name) => name.startsWith("copy-"));
}

/** Starts a copy of `disk` that takes some seconds. */
function startCopy(appliance: Appliance, path: string): Deno.ChildProcess {
  return startCommand(copyArguments(appliance, "--rate", "4MB", "disk", path));
}

async function fillDisk(appliance: Appliance): Promise<void> {
  await runToolOk("qemu-io", [
    ...["-f", "raw", "-c", "write -P 0xab 0 12M", "-c", "flush"],
    appliance.lunUrl(0, "iqn.2002-08.info.netmanager:disk"),
  ]);
}

async function untilBegun(server: ServerProcess): Promise<void> {
  await server.waitForLog("Copying LUN 0 of [disk]", 20_000);
}

const QEMU = ["qemu-io", "block-iscsi.so"] as const;

testWithTools("a command that is killed leaves no copy, and the next one copies the disk", QEMU, async () => {
  const random = new Random(numberFromEnvironment("COPY_SEED", Date.now() >>> 0));
  using appliance = Appliance.create(CONF);
  await using _server = await appliance.serve();
  await fillDisk(appliance);
  const path = `${appliance.folder}/copy`;
  for (let round = 0; round < 5; round++) {
    const command = startCopy(appliance, path);
    await delay(random.below(1500));
    command.kill("SIGKILL");
    await command.status;
    await untilGone(() => [...copyFiles(appliance), ...temporaries(appliance.folder)]);
    assertEquals([...Deno.readDirSync(appliance.folder)].some(({ name }) => name === "copy"), false);
  }
  const { code, stderr } = await runIscsi(copyArguments(appliance, "disk", path));
  assertEquals([code, stderr], [0, ""]);
  await runToolOk("cmp", [path, `${appliance.storage}/disk`]);
  assertEquals(Deno.statSync(path).blocks! * 512 <= 12 * MIB + 65536, true);
});

testWithTools("Ctrl-C ends a copy with 130, and leaves nothing", QEMU, async () => {
  using appliance = Appliance.create(CONF);
  await using server = await appliance.serve();
  await fillDisk(appliance);
  const command = startCopy(appliance, `${appliance.folder}/copy`);
  await untilBegun(server);
  await delay(300);
  const { stdout } = await runIscsi(["status", "--json", "--conf", appliance.confPath]);
  const { target, lun, sizeBytes } = JSON.parse(stdout).copies[0];
  assertEquals([target, lun, sizeBytes], ["disk", 0, DISK_BYTES]);
  command.kill("SIGINT");
  assertEquals((await command.status).code, 130);
  assertEquals(temporaries(appliance.folder), []);
  await untilGone(() => copyFiles(appliance));
});

testWithTools("a server that is killed ends a copy, and serves again with the same disk", QEMU, async () => {
  const random = new Random(numberFromEnvironment("COPY_SEED", Date.now() >>> 0));
  using appliance = Appliance.create(CONF);
  const path = `${appliance.folder}/copy`;
  let server = await appliance.serve();
  await fillDisk(appliance);
  const digest = await runToolOk("cksum", [`${appliance.storage}/disk`]);
  for (let round = 0; round < 3; round++) {
    const command = startCopy(appliance, path);
    await untilBegun(server);
    await delay(random.below(1000));
    await server.kill();
    assertEquals((await command.status).code, 1);
    assertEquals(temporaries(appliance.folder), []);
    server = await appliance.serve();
    assertEquals(copyFiles(appliance), []);
  }
  // Both are killed: the next server removes what is left.
  const command = startCopy(appliance, path);
  await untilBegun(server);
  await delay(300);
  command.kill("SIGKILL");
  await Promise.all([server.kill(), command.status]);
  server = await appliance.serve();
  assertEquals([copyFiles(appliance), temporaries(appliance.folder)], [[], []]);
  assertEquals(await runToolOk("cksum", [`${appliance.storage}/disk`]), digest);
  await server.stop();
});

Deno.test("iscsi copy copies where no server runs: to a larger LUN, and from an image", async () => {
  using appliance = Appliance.create(CONF);
  assertEquals((await appliance.build()).code, 0);
  const image = `${appliance.folder}/image`;
  Deno.writeFileSync(image, new Uint8Array(3 * MIB).fill(7));
  const imported = await runIscsi(copyArguments(appliance, image, "disk"));
  assertEquals([imported.code, imported.stderr], [0, ""]);
  const disk = Deno.readFileSync(`${appliance.storage}/disk`);
  assertEquals([disk.length, disk.lastIndexOf(7)], [DISK_BYTES, 3 * MIB - 1]);
  const refused = await runIscsi(copyArguments(appliance, "spare", "disk"));
  assertEquals(refused.code, 1);
  assertMatch(refused.stderr, /it has 16 MB, the source 32 MB; raise its size/);
  const asked = await runIscsi(copyArguments(appliance, image, "disk"));
  assertEquals([asked.code, asked.stderr], [2, "iscsi: Not a terminal, cannot ask: add --yes\n"]);
  const copied = await runIscsi(copyArguments(appliance, "disk", "spare"));
  assertEquals([copied.code, copied.stderr], [0, ""]);
  assertEquals(Deno.readFileSync(`${appliance.storage}/spare`).lastIndexOf(7), 3 * MIB - 1);
});

testWithTools("iscsi copy refuses an image of another format, with the remedy", ["qemu-img"], async () => {
  using appliance = Appliance.create(CONF);
  const image = `${appliance.folder}/image.qcow2`;
  await runToolOk("qemu-img", ["create", "-q", "-f", "qcow2", image, "1M"]);
  const { code, stderr } = await runIscsi(copyArguments(appliance, image, `${appliance.folder}/copy`));
  assertEquals(code, 1);
  assert(stderr.includes(`qemu-img convert -f qcow2 -O raw ${image} ${image}.raw`), stderr);
});

const deviceObstacle = findLoopObstacle() ?? findSysfsObstacle() ?? findNodeObstacle();

testUnless(
  deviceObstacle,
  "a block device is copied while it is served, to a file and to a stream",
  async () => {
    using appliance = Appliance.create(CONF);
    const image = `${appliance.folder}/device`;
    const bytes = new Uint8Array(DISK_BYTES);
    bytes.fill(1, 5 * MIB, 6 * MIB);
    Deno.writeFileSync(image, bytes);
    const device = (await runToolOk("losetup", ["--find", "--show", image])).trim();
    try {
      appliance.writeConf(`[disk]\nsize = 16MB\nfile = ${device}\nnetworks = 127.0.0.0/8\n`);
      await using _server = await appliance.serve();
      const [file, stream] = [`${appliance.folder}/copy`, `${appliance.folder}/stream`];
      const { code, stderr } = await runIscsi(copyArguments(appliance, "disk", file));
      assertEquals([code, stderr], [0, ""]);
      assertEquals((await runInto(stream, copyArguments(appliance, "disk", "-"))).code, 0);
      for (const copy of [file, stream]) await runToolOk("cmp", [copy, image]);
      assertEquals(Deno.statSync(file).blocks! * 512, MIB);
    } finally {
      await runToolOk("losetup", ["--detach", device]);
    }
  },
);
