import { assertEquals, assertStringIncludes } from "@std/assert";
import { prepareReservationsFolder } from "../../lib/provision/reservations_folder.ts";
import { testOnFileSystem } from "../support/small_file_system.ts";
import { runToolOk } from "../support/tools.ts";
import { withScratch } from "./scratch.ts";

Deno.test("prepareReservationsFolder() makes the folder once, or says why it cannot", () =>
  withScratch((folder) => {
    for (const _time of ["first", "second"]) assertEquals(prepareReservationsFolder(folder), undefined);
    const { isDirectory, mode } = Deno.statSync(`${folder}/.iscsi/reservations`);
    assertEquals([isDirectory, mode! & 0o777], [true, 0o700]);
    Deno.writeTextFileSync(`${folder}/file`, "");
    assertStringIncludes(prepareReservationsFolder(`${folder}/file`)!, "Cannot create folder");
  }));

testOnFileSystem(
  "prepareReservationsFolder() has files of btrfs changed in place",
  "btrfs",
  async ({ folder }) => {
    assertEquals(prepareReservationsFolder(folder), undefined);
    Deno.writeTextFileSync(`${folder}/.iscsi/reservations/a`, "");
    const [attributes] = (await runToolOk("lsattr", [`${folder}/.iscsi/reservations/a`])).split(" ");
    assertStringIncludes(attributes!, "C");
  },
);
