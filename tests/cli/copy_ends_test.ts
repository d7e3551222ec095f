import { assertEquals, assertThrows } from "@std/assert";
import { findEnd, sizeOfImage } from "../../lib/cli/copy_ends.ts";
import { ProvisionError } from "../../lib/provision/provision_error.ts";
import { configOf } from "../provision/conf.ts";
import { withScratch } from "../provision/scratch.ts";

const CONFIG = configOf("storage=/data", "[a]", "size=1MB", "[b.c]", "size=1MB 2MB");
const A = { kind: "unit", label: "LUN 0 of [a]", target: "a", lun: 0, path: "/data/a", sizeBytes: 2 ** 20 };

function messageOf(text: string, config = CONFIG): string {
  return assertThrows(() => findEnd(text, config), ProvisionError).message;
}

Deno.test("findEnd() finds LUNs by their targets, numbers and files", () => {
  assertEquals<unknown>(findEnd("a", CONFIG), A);
  assertEquals<unknown>(findEnd("a/0", CONFIG), A);
  assertEquals<unknown>(findEnd("/data/a", CONFIG), A);
  assertEquals<unknown>(findEnd("/data/../data/a", CONFIG), A);
  const { target, lun, sizeBytes } = findEnd("b.c/1", CONFIG) as typeof A;
  assertEquals([target, lun, sizeBytes], ["b.c", 1, 2 * 2 ** 20]);
});

Deno.test("findEnd() takes other paths for files, with and without a conf", () => {
  assertEquals(findEnd("/backup/a", CONFIG), { kind: "file", path: "/backup/a" });
  assertEquals(findEnd("/data/a", undefined), { kind: "file", path: "/data/a" });
  assertEquals(findEnd("./a", undefined), { kind: "file", path: `${Deno.cwd()}/a` });
  assertEquals(findEnd("-", undefined), { kind: "stream" });
});

Deno.test("findEnd() names what there is instead", () => {
  assertEquals(
    messageOf("c"),
    'Cannot find "c": the conf has no such target, only a, b.c; for a file, write its path with a slash, such as ./c',
  );
  assertEquals(messageOf("b.c"), "[b.c] has several LUNs: name one of b.c/0, b.c/1");
  assertEquals(messageOf("a/1"), "[a] has no LUN 1, only a/0");
  assertEquals(messageOf("a/x"), messageOf("c").replaceAll('"c"', '"a/x"').replace("./c", "./a/x"));
});

Deno.test("sizeOfImage() takes plain blocks, and refuses a container with the remedy", async () => {
  await withScratch((folder) => {
    const path = `${folder}/image`;
    Deno.writeFileSync(path, new Uint8Array(5000));
    assertEquals(sizeOfImage(path), 5000);
    Deno.writeFileSync(path, new Uint8Array(0));
    assertEquals(sizeOfImage(path), 0);
    Deno.writeFileSync(path, new TextEncoder().encode("KDMV".padEnd(2000)));
    const { message } = assertThrows(() => sizeOfImage(path), ProvisionError);
    const command = `qemu-img convert -f vmdk -O raw ${path} ${path}.raw`;
    assertEquals(
      message,
      `Cannot copy "${path}": it is a VMDK image; run "${command}" and copy "${path}.raw"`,
    );
    assertThrows(() => sizeOfImage(`${folder}/none`), ProvisionError, "Cannot read");
  });
});
