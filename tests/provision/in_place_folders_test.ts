import { workerPlaceOf } from "../../lib/provision/state_folder.ts";
import { assertEquals, assertStringIncludes } from "@std/assert";
import { prepareInPlaceFolders } from "../../lib/provision/in_place_folders.ts";
import { testOnFileSystem } from "../support/small_file_system.ts";
import { runToolOk } from "../support/tools.ts";
import { withScratch } from "./scratch.ts";

Deno.test("prepareInPlaceFolders() makes the folders once, or returns the fault", () =>
  withScratch((folder) => {
    for (const _time of ["first", "second"]) {
      assertEquals(prepareInPlaceFolders(workerPlaceOf(folder)), undefined);
    }
    for (const name of ["reservations", "sanitize"]) {
      const { isDirectory, mode } = Deno.statSync(`${folder}/.iscsi/${name}`);
      assertEquals([isDirectory, mode! & 0o777], [true, 0o700]);
    }
    Deno.writeTextFileSync(`${folder}/file`, "");
    assertStringIncludes(prepareInPlaceFolders(`${folder}/file`)!, "Cannot create folder");
  }));

testOnFileSystem(
  "prepareInPlaceFolders() has files of btrfs changed in place",
  "btrfs",
  async ({ folder }) => {
    assertEquals(prepareInPlaceFolders(workerPlaceOf(folder)), undefined);
    for (const name of ["reservations", "sanitize"]) {
      const path = `${folder}/.iscsi/${name}/a`;
      Deno.writeTextFileSync(path, "");
      const [attributes] = (await runToolOk("lsattr", [path])).split(" ");
      assertStringIncludes(attributes!, "C");
    }
  },
);
