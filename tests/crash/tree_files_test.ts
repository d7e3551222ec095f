import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { withScratch } from "../provision/scratch.ts";
import { Disk } from "./_disk.ts";
import { assertComplete } from "./_explore.ts";
import { findDifference, readTree, writeTree } from "./_tree_files.ts";

function makeFiles(folder: string): void {
  Deno.mkdirSync(`${folder}/f`);
  Deno.writeTextFileSync(`${folder}/f/a`, "text");
  Deno.writeFileSync(`${folder}/b`, new Uint8Array(10_000).fill(7, 5000));
  Deno.symlinkSync("f/a", `${folder}/l`);
}

Deno.test("writeTree() makes what readTree() read, in place of what was there", async () => {
  await withScratch((folder) => {
    for (const name of ["one", "two"]) Deno.mkdirSync(`${folder}/${name}`);
    makeFiles(`${folder}/one`);
    Deno.writeTextFileSync(`${folder}/two/old`, "text");
    writeTree(`${folder}/two`, readTree(`${folder}/one`));
    assertEquals(findDifference(readTree(`${folder}/two`), readTree(`${folder}/one`)), undefined);
    assertEquals(Deno.readTextFileSync(`${folder}/two/f/a`), "text");
  });
});

Deno.test("findDifference() finds a path that is missing, and content that differs", async () => {
  await withScratch((folder) => {
    makeFiles(folder);
    const before = readTree(folder);
    Deno.truncateSync(`${folder}/b`, 9999);
    assertMatch(
      findDifference(readTree(folder), before)!,
      /^"b" is a file of 9999 bytes .* and not a file of 10000/s,
    );
    Deno.removeSync(`${folder}/b`);
    assertMatch(findDifference(readTree(folder), before)!, /^"b" is missing and not a file/);
  });
});

Deno.test("assertComplete() throws when something was not recorded", async () => {
  await withScratch((folder) => {
    makeFiles(folder);
    const recording = { operations: [], notes: [], end: 0 };
    const disk = new Disk(readTree(folder));
    assertComplete(disk, recording, folder);
    Deno.writeTextFileSync(`${folder}/f/a`, "TEXT");
    assertThrows(() => assertComplete(disk, recording, folder), Error, "not complete");
  });
});
