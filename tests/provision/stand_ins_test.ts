import { assert, assertEquals, assertThrows } from "@std/assert";
import { ProvisionError } from "../../lib/provision/provision_error.ts";
import { StandIns } from "../../lib/provision/stand_ins.ts";
import { snapshot, withScratch } from "./scratch.ts";

Deno.test("StandIns links to where files really are, once, and removes what an earlier process has left", async () => {
  await withScratch((folder) => {
    const storage = `${folder}/storage`;
    Deno.mkdirSync(`${storage}/.iscsi/links`, { recursive: true });
    Deno.writeTextFileSync(`${storage}/.iscsi/links/left`, "");
    Deno.mkdirSync(`${folder}/real`);
    Deno.writeTextFileSync(`${folder}/real/disk`, "here");
    Deno.symlinkSync(`${folder}/real`, `${folder}/way`);
    const standIns = new StandIns(storage);
    assertEquals(standIns.renew([]), new Map());
    const path = `${folder}/way/disk`;
    const made = standIns.extend([], [path]);
    const link = made.get(path)!;
    assertEquals(Deno.readLinkSync(link), `${folder}/real/disk`);
    assertEquals(Deno.lstatSync(`${storage}/.iscsi/links`).mode! & 0o777, 0o700);
    assertEquals(standIns.extend([], [path]), made);
    assertEquals(standIns.extend([], []), new Map());
    assert(Deno.lstatSync(link).isSymlink, "somebody may be about to open it");
    Deno.mkdirSync(`${folder}/other`);
    Deno.writeTextFileSync(`${folder}/other/disk`, "there");
    Deno.removeSync(`${folder}/way`);
    Deno.symlinkSync(`${folder}/other`, `${folder}/way`);
    assertEquals(Deno.readTextFileSync(standIns.extend([], [path]).get(path)!), "there");
    standIns.remove();
    assertEquals(Object.keys(snapshot(storage)), [".iscsi"]);
    assertEquals(Deno.readTextFileSync(standIns.extend([], [path]).get(path)!), "there");
    standIns[Symbol.dispose]();
    assertEquals(Object.keys(snapshot(storage)), [".iscsi"]);
  });
});

Deno.test("StandIns says what it cannot make or remove", async () => {
  await withScratch((folder) => {
    Deno.writeTextFileSync(`${folder}/.iscsi`, "no folder");
    const standIns = new StandIns(folder);
    const problem = `"${folder}/.iscsi/devices": Not a directory`;
    assertThrows(() => standIns.remove(), ProvisionError, `Cannot remove folder ${problem}`);
    const device = { path: "/dev/none", readOnly: true };
    assertThrows(() => standIns.extend([device], []), ProvisionError, `Cannot create folder ${problem}`);
  });
});

Deno.test("StandIns says of a file that has gone which one it was", async () => {
  await withScratch((folder) => {
    Deno.mkdirSync(`${folder}/.iscsi`);
    const standIns = new StandIns(folder);
    assertThrows(() => standIns.extend([], [`${folder}/none`]), ProvisionError, `"${folder}/none"`);
    standIns.remove();
  });
});
