import { assertEquals } from "@std/assert";
import { findDataExtents, isPlausible, parseExtents } from "../../../lib/provision/copy/data_extents.ts";
import { testWithTools } from "../../support/tools.ts";
import { withScratch } from "../scratch.ts";

Deno.test("parseExtents() reads the extents of filefrag, with and without flags", () => {
  const text = `Filesystem type is: ef53
File size of disk is 1073741824 (2097152 blocks of 512 bytes)
 ext:     logical_offset:        physical_offset: length:   expected: flags:
   0:        8..      15:     272896..    272903:      8:
   1:  1024000.. 1030143:          0..         0:      0:     272904: last,unknown_loc,delalloc
disk: 2 extents found
`;
  assertEquals(parseExtents(text), [
    { offset: 8 * 512, lengthBytes: 8 * 512 },
    { offset: 1024000 * 512, lengthBytes: 6144 * 512 },
  ]);
});

Deno.test("parseExtents() takes a file without extents, and no output that was cut off", () => {
  assertEquals(parseExtents("Filesystem type is: ef53\ndisk: 0 extents found\n"), []);
  assertEquals(parseExtents("Filesystem type is: ef53\n   0:        8..      15:     2"), undefined);
  assertEquals(parseExtents(""), undefined);
});

testWithTools(
  "findDataExtents() finds what was written, also before it is on the disk",
  ["filefrag"],
  async () => {
    await withScratch(async (folder) => {
      const path = `${folder}/disk`;
      using file = Deno.openSync(path, { write: true, create: true });
      file.truncateSync(64 * 1024 ** 2);
      file.seekSync(32 * 1024 ** 2, Deno.SeekMode.Start);
      file.writeSync(new Uint8Array(65536).fill(1));
      const extents = await findDataExtents(path);
      // A file system without this information makes the copier read everything.
      if (extents === undefined) return;
      assertEquals(extents.reduce((sum, { lengthBytes }) => sum + lengthBytes, 0), 65536);
      assertEquals(extents[0]!.offset, 32 * 1024 ** 2);
    });
  },
);

Deno.test("findDataExtents() returns undefined where there is no file", async () => {
  await withScratch(async (folder) => {
    assertEquals(await findDataExtents(`${folder}/none`), undefined);
  });
});

Deno.test("isPlausible() distrusts extents that lack some of the space of a file", () => {
  const extents = [{ offset: 0, lengthBytes: 4096 }, { offset: 8192, lengthBytes: 96 * 4096 }];
  assertEquals([97, 98, 100, 103].map((blocks) => isPlausible(extents, blocks * 4096)), [
    true,
    true,
    true,
    false,
  ]);
  assertEquals([isPlausible([], 0), isPlausible([], 4096), isPlausible(undefined, 4096)], [
    true,
    false,
    false,
  ]);
});
