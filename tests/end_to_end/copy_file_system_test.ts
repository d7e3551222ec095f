/** Copies of a disk with a file system that a kernel writes to, by QEMU's initiator and FUSE. */
import { assert, assertEquals } from "@std/assert";
import { delay } from "../../lib/base/delay.ts";
import { errorMessage } from "../../lib/base/error_message.ts";
import { findLoopObstacle, findMountObstacle, testUnless } from "../support/obstacles.ts";
import { runIscsi } from "../support/server_process.ts";
import { runTool, runToolOk, testWithTools, type Tool } from "../support/tools.ts";
import { Appliance } from "./appliance.ts";

const CONF = "[disk]\nsize = 200MB\nnetworks = 127.0.0.0/8\n";
const TOOLS: readonly Tool[] = ["qemu-storage-daemon", "block-iscsi.so", "mkfs.ext4", "e2fsck"];
const COPIES = 4;

/** A LUN as a file, by which a kernel can mount it. */
class LunFile implements AsyncDisposable {
  readonly path: string;
  readonly #child: Deno.ChildProcess;

  private constructor(path: string, child: Deno.ChildProcess) {
    this.path = path;
    this.#child = child;
  }

  static async start(appliance: Appliance): Promise<LunFile> {
    const path = `${appliance.folder}/lun`;
    Deno.writeTextFileSync(path, "");
    const disk = "driver=iscsi,node-name=disk,transport=tcp,lun=0,initiator-name=iqn.2000-01.test:kernel," +
      `portal=127.0.0.1:${appliance.port},target=iqn.2002-08.info.netmanager:disk`;
    const file = `fuse,id=file,node-name=disk,mountpoint=${path},writable=on`;
    const args = ["--blockdev", disk, "--export", file];
    const streams = { stdin: "null", stdout: "null", stderr: "inherit" } as const;
    const child = new Deno.Command("qemu-storage-daemon", { args, ...streams }).spawn();
    const lun = new LunFile(path, child);
    for (let round = 0; round < 400 && Deno.statSync(path).size === 0; round++) await delay(25);
    assert(Deno.statSync(path).size > 0, "QEMU shows the LUN as a file");
    return lun;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGTERM");
    await this.#child.status;
  }
}

/** Makes, moves and removes files, and syncs some of them, until it is stopped. */
async function useFileSystem(folder: string, signal: AbortSignal): Promise<number> {
  const bytes = crypto.getRandomValues(new Uint8Array(65536));
  let rounds = 0;
  for (; !signal.aborted; rounds++) {
    const subfolder = `${folder}/folder-${rounds % 5}`;
    Deno.mkdirSync(subfolder, { recursive: true });
    for (let number = 0; number < 20; number++) await Deno.writeFile(`${subfolder}/${number}`, bytes);
    using file = await Deno.open(`${folder}/log`, { write: true, create: true });
    for (let piece = 0; piece < 30; piece++) await file.write(bytes);
    await file.sync();
    await Deno.rename(`${folder}/log`, `${folder}/log-${rounds % 4}`);
    if (rounds % 3 === 0) await Deno.remove(subfolder, { recursive: true });
  }
  return rounds;
}

async function checkCopy(path: string, folder: string): Promise<void> {
  // Like after a loss of power, the journal is replayed first.
  await runTool("e2fsck", ["-y", "-E", "journal_only", path]);
  const { code, stdout } = await runTool("e2fsck", ["-fn", path]);
  assertEquals(code, 0, stdout);
  await runToolOk("mount", ["-o", "loop,ro", path, folder]);
  const names = [...Deno.readDirSync(folder)].map(({ name }) => name);
  await runToolOk("umount", [folder]);
  assert(names.some((name) => name.startsWith("log")), `files that were synced are in ${names}`);
}

const obstacle = findMountObstacle() ?? findLoopObstacle() ?? findFuseObstacle();

function findFuseObstacle(): string | undefined {
  try {
    Deno.lstatSync("/dev/fuse");
    return undefined;
  } catch (error) {
    return `no FUSE: ${errorMessage(error)}`;
  }
}

const NAME = "an ext4 file system is clean in copies that are taken while it is used";

async function copyFileSystem(): Promise<void> {
  using appliance = Appliance.create(CONF);
  await using _server = await appliance.serve();
  await using lun = await LunFile.start(appliance);
  await runToolOk("mkfs.ext4", ["-q", "-F", lun.path]);
  const [mounted, other] = [`${appliance.folder}/mounted`, `${appliance.folder}/other`];
  for (const folder of [mounted, other]) Deno.mkdirSync(folder);
  await runToolOk("mount", ["-o", "loop", lun.path, mounted]);
  const stop = new AbortController();
  const work = useFileSystem(mounted, stop.signal);
  try {
    for (let number = 0; number < COPIES; number++) {
      await delay(500);
      const path = `${appliance.folder}/copy-${number}`;
      const { code, stderr } = await runIscsi(["copy", "--conf", appliance.confPath, "disk", path]);
      assertEquals([code, stderr], [0, ""]);
      await checkCopy(path, other);
      Deno.removeSync(path);
    }
  } finally {
    stop.abort();
    await work;
    await runToolOk("umount", [mounted]);
  }
}

if (obstacle === undefined) testWithTools(NAME, TOOLS, copyFileSystem);
else testUnless(obstacle, NAME, copyFileSystem);
