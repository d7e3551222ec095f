import { statfsSync } from "node:fs";
import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import { largestFileBytes } from "../../lib/provision/file_size_limit.ts";
import { provision } from "../../lib/provision/provision.ts";
import { testOnFileSystem } from "../support/small_file_system.ts";
import { configOf } from "./conf.ts";
import { withScratch } from "./scratch.ts";

const EXT = 0xef53;
const OTHER = 0x65735546;

/** Runs a test while no file can be sought beyond `limit`. */
async function withSeekLimit(limit: number, test: () => void | Promise<void>): Promise<void> {
  const original = Deno.FsFile.prototype.seekSync;
  Deno.FsFile.prototype.seekSync = function (offset): number {
    if (offset > limit) throw new TypeError("Invalid argument (os error 22)");
    return Number(offset);
  };
  try {
    await test();
  } finally {
    Deno.FsFile.prototype.seekSync = original;
  }
}

Deno.test("largestFileBytes() counts the blocks of ext4, without a sample", () => {
  const of = (blockBytes: number) => largestFileBytes({ type: EXT, blockBytes, sample: undefined });
  assertEquals([of(4096), of(1024)], [17_592_186_040_320, 4_398_046_510_080]);
});

Deno.test("largestFileBytes() finds the limit of another file system by a file on it, and changes nothing", () =>
  withScratch(async (folder) => {
    const sample = join(folder, "sample");
    Deno.writeTextFileSync(sample, "abc");
    const { mtime } = Deno.statSync(sample);
    for (const limit of [2 ** 32 - 1, 2 ** 41 - 512, 2 ** 53 - 1]) {
      await withSeekLimit(limit, () => {
        assertEquals(largestFileBytes({ type: OTHER, blockBytes: 4096, sample }), limit);
      });
    }
    await withSeekLimit(2 ** 53, () => {
      assertEquals(largestFileBytes({ type: OTHER, blockBytes: 4096, sample }), undefined);
    });
    // A file that cannot be sought at all says nothing.
    withSeekLimit(
      0,
      () => assertEquals(largestFileBytes({ type: OTHER, blockBytes: 4096, sample }), undefined),
    );
    assertEquals([Deno.readTextFileSync(sample), Deno.statSync(sample).mtime], ["abc", mtime]);
  }));

testOnFileSystem(
  "provision() finds a size that is too large before it makes the first file of a new file system",
  "btrfs",
  async ({ folder }) => {
    const config = configOf(`storage=${folder}/s`, "[a]", "size=1MB 1MB 1MB 4GB");
    await withSeekLimit(2 ** 32 - 1, async () => {
      const { errors, steps } = await provision(config);
      assertEquals(errors.map(({ message }) => message.split(": ")[0]), [
        `Cannot create "${folder}/s/a_3" with size 4 GB (4294967296 bytes)`,
      ]);
      assertEquals(steps.map(({ kind }) => kind), ["createFolder", "createFolder"]);
    });
    assertEquals([...Deno.readDirSync(join(folder, "s"))].map(({ name }) => name), [".iscsi"]);
    assertEquals((await provision(config)).errors, []);
  },
);

Deno.test("largestFileBytes() is unknown without a file to ask", () => {
  assertEquals(largestFileBytes({ type: OTHER, blockBytes: 4096, sample: undefined }), undefined);
  assertEquals(largestFileBytes({ type: OTHER, blockBytes: 4096, sample: "/none" }), undefined);
});

/** Asserts that the kernel refuses the first size beyond the limit, and no other. */
function assertLimit(folder: string): void {
  const sample = join(folder, "sample");
  using file = Deno.openSync(sample, { write: true, create: true });
  const { type, bsize } = statfsSync(folder);
  const limit = largestFileBytes({ type, blockBytes: bsize, sample });
  file.truncateSync(limit ?? 2 ** 53);
  if (limit === undefined) return;
  let failure = "";
  try {
    file.truncateSync(limit + 512);
  } catch (error) {
    failure = String(error);
  }
  assertEquals(failure.includes("File too large"), true, failure);
}

for (const kind of ["ext4", "xfs", "btrfs"] as const) {
  testOnFileSystem(`largestFileBytes() is the limit of the kernel on ${kind}`, kind, async ({ folder }) => {
    await Promise.resolve();
    assertLimit(folder);
  });
}
