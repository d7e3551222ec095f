import { assertEquals } from "@std/assert";
import {
  atomicJournalOf,
  buildMarkOf,
  controlSocketOf,
  growthFileOf,
  helpersFolderOf,
  identitiesFileOf,
  inPlaceFoldersOf,
  linksFolderOf,
  reservationsFileOf,
  reserveFileOf,
  sanitizeFileOf,
  stateFolderOf,
  workerFoldersOf,
  workerLinksOf,
} from "../../lib/provision/state_folder.ts";

Deno.test("stateFolderOf() and the others name what earlier versions have left", () => {
  assertEquals(stateFolderOf("/s"), "/s/.iscsi");
  const paths = [
    [helpersFolderOf("/s"), "helpers"],
    [linksFolderOf("/s"), "links"],
    [workerLinksOf("/s", { readOnly: true }), "links/read-only"],
    [workerLinksOf("/s", { readOnly: false }), "links/read-write"],
    [identitiesFileOf("/s"), "identities.json"],
    [buildMarkOf("/s"), "built"],
    [atomicJournalOf("/s", "3AB"), "journals/atomic-3ab.journal"],
    [reservationsFileOf("/s", "3AB"), "reservations/3ab.json"],
    [sanitizeFileOf("/s", "3AB"), "sanitize/3ab.json"],
    [controlSocketOf("/s"), "control"],
    [reserveFileOf("/s"), "reserve"],
    [growthFileOf("/s"), "growth.json"],
  ] as const;
  for (const [path, name] of paths) assertEquals(path, `/s/.iscsi/${name}`);
});

Deno.test("workerFoldersOf() has the folders of all that a worker writes", () => {
  const folders = ["journals", "reservations", "sanitize"].map((name) => `/s/.iscsi/${name}`);
  assertEquals(workerFoldersOf("/s"), folders);
  assertEquals(inPlaceFoldersOf("/s"), folders.slice(1));
});
