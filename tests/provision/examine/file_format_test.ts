import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import { formatDiagnostic } from "../../../lib/config/diagnostic.ts";
import { findFileFormat, FORMAT_BYTES, unpackCommand } from "../../../lib/provision/examine/file_format.ts";
import { provision } from "../../../lib/provision/provision.ts";
import { runTool, runToolOk, testWithTools } from "../../support/tools.ts";
import { configOf } from "../conf.ts";
import { withScratch } from "../scratch.ts";

/** A format by its bytes at an offset, from the end where it is below 0. */
const MAGICS: readonly (readonly [name: string | undefined, at: number, hex: string])[] = [
  ["a qcow image", 0, "514649fb00000001"],
  ["a qcow2 image", 0, "514649fb00000002"],
  ["a qcow2 image", 0, "514649fb00000003"],
  ["a QED image", 0, "51454400"],
  ["a VMDK image", 0, "4b444d56"],
  ["a VMDK image", 0, "434f5744"],
  ["a VMDK image", 0, "bebafeca00000000"],
  ["a VHDX image", 0, "7668647866696c65"],
  ["a VHD image", 0, "636f6e6563746978"],
  ["a VHD image", -512, "636f6e6563746978"],
  ["a VDI image", 0x40, "7f10dabe"],
  ["a DMG image", -512, "6b6f6c79"],
  ["compressed with gzip", 0, "1f8b08"],
  ["compressed with bzip2", 4, "314159265359"],
  ["compressed with xz", 0, "fd377a585a00"],
  ["compressed with zstd", 0, "28b52ffd"],
  ["compressed with lz4", 0, "04224d18"],
  ["a zip archive", 0, "504b0304"],
  ["a 7z archive", 0, "377abcaf271c"],
  ["a tar archive", 257, "7573746172"],
  // A partition table, a disk of zeros, and bytes that are elsewhere than in a container.
  [undefined, 510, "55aa"],
  [undefined, 0, "00"],
  [undefined, 1, "514649fb00000003"],
  [undefined, -512, "514649fb00000003"],
  [undefined, 8, "7f10dabe"],
];

Deno.test("findFileFormat() knows containers by their bytes, and no others", () => {
  for (const [name, at, hex] of MAGICS) {
    const [head, tail] = [new Uint8Array(FORMAT_BYTES), new Uint8Array(FORMAT_BYTES)];
    const [end, offset] = at < 0 ? [tail, FORMAT_BYTES + at] : [head, at];
    end.set(Uint8Array.fromHex(hex), offset);
    assertEquals(findFileFormat(head, tail)?.name, name, `${name} at ${at}`);
    end[offset]! ^= 0xff;
    assertEquals(findFileFormat(head, tail)?.name, undefined, `no ${name} at ${at}`);
  }
});

Deno.test("findFileFormat() knows containers by their texts", () => {
  for (
    const [name, text] of [
      ["a VMDK image", "# Disk DescriptorFile\nversion=1\n"],
      ["a VDI image", "<<< Oracle VM VirtualBox Disk Image >>>\n"],
      ["a Parallels image", "WithoutFreeSpace"],
      ["a Parallels image", "WithouFreSpacExt"],
      ["a Bochs image", "Bochs Virtual HD Image"],
    ]
  ) assertEquals(findFileFormat(new TextEncoder().encode(text), new Uint8Array(0))?.name, name);
});

Deno.test("findFileFormat() takes a file that ends within a magic for none", () => {
  const nothing = new Uint8Array(0);
  assertEquals(findFileFormat(nothing, nothing), undefined);
  assertEquals(findFileFormat(new TextEncoder().encode("vhdxfil"), nothing), undefined);
  assertEquals(findFileFormat(new TextEncoder().encode("conectix"), nothing)?.name, "a VHD image");
  assertEquals(findFileFormat(nothing, new TextEncoder().encode("koly")), undefined);
});

Deno.test("unpackCommand() quotes what means something to a shell", () => {
  const format = { name: "", unpack: "cat $1 > $2" };
  assertEquals(unpackCommand(format, "/s/a-b_1.img"), {
    command: "cat /s/a-b_1.img > /s/a-b_1.img.raw",
    result: "/s/a-b_1.img.raw",
  });
  assertEquals(
    unpackCommand(format, "/it's $2 & more").command,
    "cat '/it'\\''s $2 & more' > '/it'\\''s $2 & more.raw'",
  );
});

/** Options of `qemu-img create` that make one image in a single file each. */
const QEMU_IMAGES: readonly (readonly string[])[] = [
  ["qcow"],
  ["qcow2"],
  ["qed"],
  ["vmdk"],
  ["vmdk", "-o", "subformat=streamOptimized"],
  ["vhdx"],
  ["vpc"],
  ["vpc", "-o", "subformat=fixed"],
  ["vdi"],
  ["parallels"],
];

testWithTools(
  "provision() refuses every image that qemu-img makes, and the command that it names makes a disk of it",
  [
    "qemu-img",
  ],
  async () => {
    await withScratch(async (folder) => {
      for (const [index, format] of QEMU_IMAGES.entries()) {
        const path = join(folder, `it's ${index}`);
        await runToolOk("qemu-img", ["create", "-q", "-f", ...format, path, "1M"]);
        const config = configOf(`storage=${folder}`, "[a]", "size=1GB", `file=it's ${index}`);
        const { steps, errors } = await provision(config, { force: true });
        assertEquals([steps, errors.length], [[], 1], format.join(" "));
        const message = formatDiagnostic(errors[0]!);
        const [, command, result] = /image, .*; run "(.*)" and set "file" to "(.*)"$/.exec(message)!;
        assertEquals((await runTool("sh", ["-c", command!])).code, 0, command);
        const unpacked = configOf(
          `storage=${folder}`,
          "[a]",
          `size=${Deno.statSync(result!).size}`,
          `file=${result}`,
        );
        assertEquals((await provision(unpacked, { dryRun: true })).errors, []);
      }
    });
  },
);
