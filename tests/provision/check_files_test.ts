import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import { formatDiagnostic } from "../../lib/config/diagnostic.ts";
import { checkFiles } from "../../lib/provision/check_files.ts";
import { provision } from "../../lib/provision/provision.ts";
import { configOf } from "./conf.ts";
import { snapshot, withScratch } from "./scratch.ts";

Deno.test("checkFiles() finds lost disks and files that are not disks, and changes nothing", async () => {
  await withScratch(async (folder) => {
    await provision(configOf(`storage=${folder}`, "[lost]", "size=1MB", "[kept]", "size=1MB"));
    Deno.removeSync(join(folder, "lost"));
    Deno.writeFileSync(join(folder, "short"), new Uint8Array(512));
    const before = snapshot(folder);
    const lines = ["[lost]", "size=1MB", "[kept]", "size=1MB", "[short]", "size=1MB", "[new]", "size=1MB"];
    const found = (await checkFiles(configOf(`storage=${folder}`, ...lines))).map(formatDiagnostic);
    assertEquals(found.map((text) => text.replace(/(is lost|from 512 bytes).*/, "$1")), [
      `conf:3: Disk "${folder}/lost" is lost`,
      `conf:7: Cannot grow "${folder}/short" from 512 bytes`,
    ]);
    assertEquals(snapshot(folder), before);
  });
});

Deno.test("checkFiles() leaves out what another machine may have: devices, folders, larger files", async () => {
  await withScratch(async (folder) => {
    Deno.mkdirSync(join(folder, "folder"));
    Deno.writeFileSync(join(folder, "large"), new Uint8Array(1024));
    const files = ["/dev/none", "/nowhere/a", "folder", "large"];
    const lines = files.flatMap((file, index) => [`[t${index}]`, "size=512", `file=${file}`]);
    assertEquals(await checkFiles(configOf(`storage=${folder}`, ...lines)), []);
    assertEquals(await checkFiles(configOf(`storage=${folder}/none`, "[a]", "size=512")), []);
    Deno.mkdirSync(join(folder, ".iscsi"));
    Deno.writeTextFileSync(join(folder, ".iscsi/identities.json"), "damaged");
    assertEquals(await checkFiles(configOf(`storage=${folder}`, "[large]", "size=1MB")), []);
  });
});

Deno.test("checkFiles() finds what the conf probably does not mean, and changes nothing", async () => {
  await withScratch(async (folder) => {
    await provision(configOf(`storage=${folder}/s`, "[old]", "size=1MB", "[b]", "size=1MB 2MB"));
    const before = snapshot(folder);
    const lines = ["[new]", "size=1MB", "[b]", "size=3MB 1MB 2MB", "[c]", "size=1MB", "file=/etc/hostname"];
    const found = (await checkFiles(configOf(`storage=${folder}/s`, ...lines))).map(formatDiagnostic);
    assertEquals(found.map((text) => text.split(/[:,] (?=but|LUN|")/)[0]), [
      "conf:2: warning: [new] gets an empty disk",
      "conf:5: Sizes of [b] have moved",
      'conf:7: Cannot use "/etc/hostname" as a backing file',
    ]);
    assertEquals(snapshot(folder), before);
  });
});
