/** Whole disks written and read by QEMU's own initiator. */
import { assert, assertEquals } from "@std/assert";
import { runToolOk, testWithTools, type Tool } from "../support/tools.ts";
import { Appliance, FIRST_INITIATOR, SECOND_INITIATOR, XENSERVER_BYTES } from "./appliance.ts";

const QEMU: readonly Tool[] = ["qemu-img", "qemu-io", "block-iscsi.so"];

/** Size of the image that is written and read back: `ISCSI_TEST_IMAGE_MIB`, by default 64 MiB. */
const IMAGE_MIB = Number(Deno.env.get("ISCSI_TEST_IMAGE_MIB") ?? "64");

const CONVERT_LIMIT_MS = 300_000;

/** Returns a LUN as QEMU's options name it, with the initiator's name. */
function qemuDisk(appliance: Appliance, lun: number, initiator: string): string {
  return [
    "driver=raw",
    "file.driver=iscsi",
    "file.transport=tcp",
    `file.portal=127.0.0.1:${appliance.port}`,
    "file.target=iqn.2002-08.info.netmanager:xenserver",
    `file.lun=${lun}`,
    `file.initiator-name=${initiator}`,
  ].join(",");
}

/** Writes random bytes, piece by piece. */
function writeRandomImage(path: string, mebibytes: number): void {
  const file = Deno.openSync(path, { write: true, create: true });
  const piece = new Uint8Array(1024 ** 2);
  for (let i = 0; i < mebibytes; i++) {
    for (let start = 0; start < piece.length; start += 65536) {
      crypto.getRandomValues(piece.subarray(start, start + 65536));
    }
    for (let written = 0; written < piece.length;) written += file.writeSync(piece.subarray(written));
  }
  file.close();
}

/** Returns a conf whose LUN 0 has the size of the image. */
function imageConf(): string {
  return `
    initiators = ${FIRST_INITIATOR} ${SECOND_INITIATOR}
    [xenserver]
    size = ${IMAGE_MIB}MB
    networks = 127.0.0.0/8
  `;
}

testWithTools("a random image comes back as it was, also through a new server", QEMU, async () => {
  using appliance = Appliance.create(imageConf());
  const [image, copy] = [`${appliance.folder}/image`, `${appliance.folder}/copy`];
  writeRandomImage(image, IMAGE_MIB);
  const disk = qemuDisk(appliance, 0, FIRST_INITIATOR);
  {
    await using _server = await appliance.serve();
    const args = ["convert", "-n", "-f", "raw", "--target-image-opts", image, disk];
    await runToolOk("qemu-img", args, { timeLimitMs: CONVERT_LIMIT_MS });
    await runToolOk("qemu-img", ["compare", "--image-opts", `driver=raw,file.filename=${image}`, disk], {
      timeLimitMs: CONVERT_LIMIT_MS,
    });
  }
  await runToolOk("cmp", [image, `${appliance.storage}/xenserver`]);
  await using _server = await appliance.serve();
  const args = ["convert", "-O", "raw", "--image-opts", disk, copy];
  await runToolOk("qemu-img", args, { timeLimitMs: CONVERT_LIMIT_MS });
  await runToolOk("cmp", [image, copy]);
});

/** Runs commands of qemu-io on a LUN. A pattern that is not found is an error of the command, not of the tool. */
async function qemuIo(
  appliance: Appliance,
  lun: number,
  initiator: string,
  commands: readonly string[],
): Promise<void> {
  const args = commands.flatMap((command) => ["-c", command]);
  const output = await runToolOk("qemu-io", ["--image-opts", ...args, qemuDisk(appliance, lun, initiator)]);
  assert(!/verification failed|failed:/i.test(output), output);
}

testWithTools("patterns hold at both ends of a LUN of 750 GB, which stays sparse", QEMU, async () => {
  using appliance = Appliance.create();
  await using _server = await appliance.serve();
  const end = XENSERVER_BYTES[0];
  await qemuIo(appliance, 0, FIRST_INITIATOR, [
    `write -P 0x5a ${end - 512} 512`,
    `write -P 0xa5 ${end - 1024 ** 2} 64k`,
    "write -P 0x3c 0 4k",
    "flush",
  ]);
  await qemuIo(appliance, 0, SECOND_INITIATOR, [
    `read -P 0x5a ${end - 512} 512`,
    `read -P 0xa5 ${end - 1024 ** 2} 64k`,
    `read -P 0 ${end - 1024} 512`,
    "read -P 0x3c 0 4k",
    "read -P 0 4k 4k",
    `read -P 0 ${end / 2} 1M`,
  ]);
  const { size, blocks } = Deno.statSync(`${appliance.storage}/xenserver`);
  assertEquals(size, end);
  assert(blocks! * 512 < 1024 ** 2, `${blocks} blocks of 512 bytes are allocated`);
});

testWithTools("two initiators at once on one LUN see each other's writes", QEMU, async () => {
  using appliance = Appliance.create();
  await using _server = await appliance.serve();
  // Each has a half of the disk for itself, in turns of 1 MiB.
  function turns(command: string, pattern: string, first: number): string[] {
    return Array.from({ length: 16 }, (_, i) => `${command} -P ${pattern} ${first + 2 * i}M 1M`);
  }
  await Promise.all([
    qemuIo(appliance, 1, FIRST_INITIATOR, [...turns("write", "0x11", 0), "flush"]),
    qemuIo(appliance, 1, SECOND_INITIATOR, [...turns("write", "0x22", 1), "flush"]),
  ]);
  await Promise.all([
    qemuIo(appliance, 1, FIRST_INITIATOR, turns("read", "0x22", 1)),
    qemuIo(appliance, 1, SECOND_INITIATOR, turns("read", "0x11", 0)),
  ]);
});
