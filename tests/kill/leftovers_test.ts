import { assertEquals } from "@std/assert";
import { withScratch } from "../provision/scratch.ts";
import { findLeftovers } from "./_leftovers.ts";

Deno.test("findLeftovers() finds what is no state, and what is replaced later is none", async () => {
  await withScratch((folder) => {
    for (const name of ["reservations", "journals"]) {
      Deno.mkdirSync(`${folder}/.iscsi/${name}`, { recursive: true });
    }
    const good = [
      "identities.json",
      "identities.json.new",
      "serve.lock",
      "journals/atomic-3123456789abcdef.journal",
    ];
    for (const name of [...good, "reservations/3123456789abcdef.json"]) {
      Deno.writeTextFileSync(`${folder}/.iscsi/${name}`, "");
    }
    assertEquals(findLeftovers(folder), []);
    Deno.mkdirSync(`${folder}/.iscsi/holes/1`, { recursive: true });
    assertEquals(
      findLeftovers(folder),
      ["holes", "holes/1"].map((path) => `left in the state folder: ${path}`),
    );
  });
});
