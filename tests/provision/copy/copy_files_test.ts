import { assertEquals, assertThrows } from "@std/assert";
import {
  assertTemporary,
  makeCopyFiles,
  removeCopyFiles,
  removeFormerCopies,
} from "../../../lib/provision/copy/copy_files.ts";
import { workerLinksOf } from "../../../lib/provision/state_folder.ts";
import { withScratch } from "../scratch.ts";

const SIZE = 200_000;

async function withPlace(test: (place: string, links: string, temporary: string) => void): Promise<void> {
  await withScratch((place) => {
    const links = workerLinksOf(place, { readOnly: false });
    Deno.mkdirSync(links, { recursive: true });
    Deno.symlinkSync("/elsewhere", `${links}/1`);
    const temporary = `${place}/.iscsi-copy-0123456789abcdef`;
    Deno.writeFileSync(temporary, new Uint8Array(SIZE));
    test(place, links, temporary);
  });
}

function namesIn(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
}

Deno.test("makeCopyFiles() makes a map, and a file for old blocks or a link to the copy", async () => {
  await withPlace((place, links, temporary) => {
    const stream = makeCopyFiles(place, 1, { sizeBytes: SIZE, temporary: null });
    assertEquals([Deno.statSync(stream.keep).size, Deno.statSync(stream.map).size], [SIZE, 4]);
    const file = makeCopyFiles(place, 2, { sizeBytes: SIZE, temporary });
    assertEquals(Deno.realPathSync(file.keep), temporary);
    assertEquals(namesIn(links), ["1", "copy-1.keep", "copy-1.map", "copy-2.keep", "copy-2.map"]);
    removeCopyFiles(stream);
    removeCopyFiles(file);
    assertEquals(namesIn(links), ["1"]);
    assertEquals(Deno.statSync(temporary).size, SIZE);
  });
});

Deno.test("removeFormerCopies() removes the files of former copies, and the copies that are not complete", async () => {
  await withPlace((place, links, temporary) => {
    makeCopyFiles(place, 1, { sizeBytes: SIZE, temporary: null });
    makeCopyFiles(place, 2, { sizeBytes: SIZE, temporary });
    Deno.writeTextFileSync(`${place}/precious`, "x");
    Deno.symlinkSync(`${place}/precious`, `${links}/copy-3.keep`);
    removeFormerCopies(place);
    assertEquals(namesIn(links), ["1"]);
    assertEquals(namesIn(place), ["links", "precious"]);
  });
});

Deno.test("assertTemporary() takes the file of a command and nothing else", async () => {
  await withPlace((place, _links, temporary) => {
    assertTemporary(temporary, SIZE);
    assertThrows(() => assertTemporary(temporary, SIZE + 1), Error, "is not an empty file for a copy");
    Deno.writeTextFileSync(`${place}/disk`, "");
    assertThrows(() => assertTemporary(`${place}/disk`, 0), Error, "is not an empty file for a copy");
    Deno.symlinkSync(`${place}/disk`, `${place}/.iscsi-copy-0000000000000000`);
    assertThrows(() => assertTemporary(`${place}/.iscsi-copy-0000000000000000`, 0), Error);
    assertThrows(() => assertTemporary(".iscsi-copy-0000000000000000", 0), Error);
  });
});
