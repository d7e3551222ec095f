/** Copies from standard input. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { iscsiCommand, runIscsi } from "../support/server_process.ts";
import { runTool, runToolOk, testWithTools } from "../support/tools.ts";
import { Appliance } from "./appliance.ts";
import { copyArguments, startCommand, temporaries } from "./copying.ts";

const MIB = 1024 ** 2;
const DISK_BYTES = 16 * MIB;
const CONF = "[disk]\nsize = 16MB\nnetworks = 127.0.0.0/8\n";

/** Pipes bytes into a copy. */
async function copyBytes(
  bytes: Uint8Array<ArrayBuffer>,
  words: readonly string[],
): Promise<{ code: number; stdout: string; stderr: string }> {
  const command = startCommand(words, { stdin: "piped", stdout: "piped", stderr: "piped" });
  const writer = command.stdin.getWriter();
  // A command that refuses the input does not read it to its end.
  const written = writer.write(bytes).then(() => writer.close()).catch(() => {});
  const { code, stdout, stderr } = await command.output();
  await written;
  return { code, stdout: new TextDecoder().decode(stdout), stderr: new TextDecoder().decode(stderr) };
}

/** Runs a line of the shell in which `iscsi` is the program. */
function runShell(line: string): ReturnType<typeof runTool> {
  const { program, args } = iscsiCommand();
  const words = [program, ...args].map((word) => `'${word}'`).join(" ");
  return runTool("bash", ["-c", `set -o pipefail; iscsi() { ${words} "$@"; }; ${line}`]);
}

function diskOf({ storage }: Appliance): string {
  return `${storage}/disk`;
}

/** Makes an appliance whose disk has the bytes of `makeImage`. */
async function makeFilled(): Promise<Appliance> {
  const appliance = Appliance.create(CONF);
  assertEquals((await appliance.build()).code, 0);
  Deno.writeFileSync(diskOf(appliance), makeImage(DISK_BYTES));
  return appliance;
}

function makeImage(bytes: number): Uint8Array<ArrayBuffer> {
  const image = new Uint8Array(bytes);
  image.fill(7, 5 * MIB, 6 * MIB);
  image[bytes - 1] = 8;
  return image;
}

Deno.test("iscsi copy - fills a LUN that is served, and leaves holes for zeros", async () => {
  using appliance = Appliance.create(CONF);
  await using server = await appliance.serve();
  const image = makeImage(DISK_BYTES);
  const { code, stdout, stderr } = await copyBytes(image, copyArguments(appliance, "-", "disk"));
  assertEquals([code, stderr], [0, ""]);
  assertMatch(stdout, /^disk: Copied 16 MB in /);
  await server.stop();
  const path = diskOf(appliance);
  assertEquals(Deno.readFileSync(path), image);
  assert(Deno.statSync(path).blocks! * 512 < 2 * MIB, "zeros take space");
});

Deno.test("iscsi copy - refuses an input that is longer or shorter than the LUN, and keeps its content", async () => {
  using appliance = await makeFilled();
  const path = diskOf(appliance);
  const before = makeImage(DISK_BYTES);
  const [to, yes] = [copyArguments(appliance, "-", "disk"), "--yes"];
  const longer = await copyBytes(makeImage(DISK_BYTES + 1), [...to, yes]);
  assertEquals(longer.code, 1);
  assertMatch(longer.stderr, /standard input has more than the 16 MB of the LUN; raise its size/);
  const shorter = await copyBytes(makeImage(7 * MIB), [...to, yes]);
  assertEquals(shorter.code, 1);
  assertMatch(
    shorter.stderr,
    /ended after 7340032 of 16777216 bytes; check the program before the pipe, or add --force/,
  );
  const empty = await copyBytes(new Uint8Array(), [...to, yes, "--force"]);
  assertMatch(empty.stderr, /standard input was empty/);
  assertEquals([empty.code, temporaries(appliance.storage)], [1, []]);
  assertEquals(Deno.readFileSync(path), before);
  const forced = await copyBytes(makeImage(7 * MIB), [...to, yes, "--force"]);
  assertEquals([forced.code, forced.stderr], [0, ""]);
  const after = Deno.readFileSync(path);
  assertEquals([after.length, after.findLastIndex((byte) => byte !== 0)], [DISK_BYTES, 7 * MIB - 1]);
});

Deno.test("iscsi copy - makes a file as long as its input, without a conf", async () => {
  using appliance = Appliance.create(CONF);
  const path = `${appliance.folder}/copy`;
  const { code, stdout, stderr } = await copyBytes(makeImage(6 * MIB + 5), ["copy", "--json", "-", path]);
  assertEquals([code, stderr], [0, ""]);
  assertEquals(JSON.parse(stdout.trim().split("\n").at(-1)!).sizeBytes, 6 * MIB + 5);
  assertEquals(Deno.readFileSync(path), makeImage(6 * MIB + 5));
  const both = await runIscsi(["copy", "-", "-"]);
  assertEquals([both.code, both.stderr], [1, 'iscsi: Cannot copy from "-" to "-"; name a LUN or a file\n']);
});

testWithTools("iscsi copy - refuses an image of another format, with the remedy", ["qemu-img"], async () => {
  using appliance = Appliance.create(CONF);
  for (const [format, name] of [["qcow2", "qcow2"], ["vmdk", "VMDK"], ["vhdx", "VHDX"], ["vpc", "VHD"]]) {
    const image = `${appliance.folder}/image`;
    await runToolOk("qemu-img", ["create", "-q", "-f", format!, image, "1M"]);
    const to = `${appliance.folder}/copy`;
    const { code, stderr } = await copyBytes(Deno.readFileSync(image), ["copy", "-", to]);
    assertEquals(code, 1);
    assert(stderr.includes(`standard input is a ${name} image`), stderr);
    assert(stderr.includes(`qemu-img convert -f ${format} -O raw FILE FILE.raw`), stderr);
    assertEquals(temporaries(appliance.folder), []);
  }
});

Deno.test("iscsi copy - takes what iscsi copy wrote through a compressor", async () => {
  using appliance = await makeFilled();
  const [conf, packed] = [`--conf '${appliance.confPath}'`, `'${appliance.folder}/disk.gz'`];
  const out = await runShell(`iscsi copy ${conf} disk - | gzip > ${packed}`);
  assertEquals(out.code, 0, out.stderr);
  Deno.writeFileSync(diskOf(appliance), new Uint8Array(DISK_BYTES).fill(1));
  const back = await runShell(`gzip -dc ${packed} | iscsi copy ${conf} --yes - disk`);
  assertEquals([back.code, back.stderr], [0, ""]);
  assertEquals(Deno.readFileSync(diskOf(appliance)), makeImage(DISK_BYTES));
});

testWithTools(
  "iscsi copy - takes the disk in a qcow2 image from nbdcopy",
  ["qemu-img", "nbdcopy"],
  async () => {
    using appliance = await makeFilled();
    const image = `${appliance.folder}/disk.qcow2`;
    await runToolOk("qemu-img", ["convert", "-O", "qcow2", diskOf(appliance), image]);
    Deno.writeFileSync(diskOf(appliance), new Uint8Array(DISK_BYTES).fill(1));
    await using _server = await appliance.serve();
    const { code, stderr } = await runShell(
      `nbdcopy -- [ qemu-nbd -r -f qcow2 '${image}' ] - | iscsi copy --conf '${appliance.confPath}' --yes - disk`,
    );
    assertEquals([code, stderr], [0, ""]);
    assertEquals(Deno.readFileSync(diskOf(appliance)), makeImage(DISK_BYTES));
  },
);

Deno.test("Ctrl-C ends a copy that waits for its input", async () => {
  using appliance = Appliance.create(CONF);
  await using server = await appliance.serve();
  const streams = { stdin: "piped" } as const;
  const command = startCommand(copyArguments(appliance, "-", "disk"), streams);
  await server.waitForLog("Replacing the content of LUN 0 of [disk]", 20_000);
  command.kill("SIGINT");
  assertEquals((await command.status).code, 130);
  await command.stdin.close().catch(() => {});
  assertEquals(temporaries(appliance.storage), []);
  await server.waitForLog("The content of LUN 0 of [disk] was not replaced", 20_000);
});
