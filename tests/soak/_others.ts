/** The other users of the server: QEMU, libiscsi's tools, and the operator. */
import { Random } from "../support/seeded_random.ts";
import { runIscsi } from "../support/server_process.ts";
import { runToolOk } from "../support/tools.ts";
import type { Tally } from "./_tally.ts";

/** Everyone needs these. */
export interface OtherOptions {
  /** A folder for files. */
  readonly folder: string;
  readonly seed: number;
  readonly tally: Tally;
  readonly isOver: () => boolean;
}

const IMAGE_BYTES = 4 * 1024 * 1024;

/** Writes images with QEMU to a LUN of their own, and compares them. */
export async function convertUntilOver(
  url: string,
  { folder, seed, tally, isOver }: OtherOptions,
): Promise<void> {
  const random = new Random(seed);
  const image = `${folder}/image`;
  while (!isOver()) {
    const content = new Uint8Array(IMAGE_BYTES);
    for (let at = 0; at < IMAGE_BYTES; at += 65536) {
      if (random.oneIn(2)) content.set(random.bytes(65536), at);
    }
    Deno.writeFileSync(image, content);
    await runToolOk("qemu-img", ["convert", "-n", "-f", "raw", "-O", "raw", image, url]);
    await runToolOk("qemu-img", ["compare", "-f", "raw", "-F", "raw", image, url]);
    tally.count("image by QEMU", 2 * IMAGE_BYTES / 512);
  }
}

/** Discovers, inquires and reads with libiscsi's tools. */
export async function inquireUntilOver(
  portal: string,
  url: string,
  { tally, isOver }: Pick<OtherOptions, "tally" | "isOver">,
): Promise<void> {
  while (!isOver()) {
    const list = await runToolOk("iscsi-ls", [portal]);
    if (!list.includes("iqn.2002-08.info.netmanager:disk")) {
      throw new Error(`iscsi-ls does not list the disk: ${list}`);
    }
    await runToolOk("iscsi-inq", ["-e", "1", "-c", "131", url]);
    await runToolOk("iscsi-readcapacity16", [url]);
    tally.count("round of libiscsi's tools");
  }
}

/** Time between two things that the operator does. */
const OPERATOR_MS = 3000;
const GROWTH_MAX_MEBIBYTES = 64;

/** Builds confs that differ, reloads, and asks for the status. */
export async function operateUntilOver(
  confPath: string,
  writeConf: (lines: readonly string[]) => void,
  disk: readonly string[],
  { seed, tally, isOver }: Pick<OtherOptions, "seed" | "tally" | "isOver">,
): Promise<void> {
  const random = new Random(seed);
  async function run(name: string, ...args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await runIscsi([name, ...args, "--conf", confPath]);
    if (code !== 0) throw new Error(`iscsi ${name}: exit code ${code}\n${stdout}${stderr}`);
    tally.count(`iscsi ${name}`);
    return stdout;
  }
  for (let mebibytes = 1; !isOver();) {
    if (mebibytes < GROWTH_MAX_MEBIBYTES && random.oneIn(2)) mebibytes++;
    const extra = random.oneIn(3) ? [] : ["[extra]", `size=${mebibytes}MB`];
    writeConf([...disk, `comment=the ${random.below(1000)}th`, ...extra]);
    await run("build");
    await run("reload");
    const status: unknown = JSON.parse(await run("status", "--json"));
    if (typeof status !== "object" || status === null) throw new Error("iscsi status --json is no object");
    for (let waitedMs = 0; waitedMs < OPERATOR_MS && !isOver(); waitedMs += 100) {
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}
