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
  unitOfState,
  workerFoldersOf,
  workerLinksOf,
  workerPlaceOf,
} from "../../lib/provision/state_folder.ts";

Deno.test("stateFolderOf() and the others name what earlier versions have left", () => {
  assertEquals(stateFolderOf("/s"), "/s/.iscsi");
  const paths = [
    [helpersFolderOf("/s"), "helpers"],
    [linksFolderOf("/s/.iscsi"), "links"],
    [workerLinksOf("/s/.iscsi", { readOnly: true }), "links/read-only"],
    [workerLinksOf("/s/.iscsi", { readOnly: false }), "links/read-write"],
    [identitiesFileOf("/s"), "identities.json"],
    [buildMarkOf("/s"), "built"],
    [atomicJournalOf("/s/.iscsi", "3AB"), "journals/atomic-3ab.journal"],
    [reservationsFileOf("/s/.iscsi", "3AB"), "reservations/3ab.json"],
    [sanitizeFileOf("/s/.iscsi", "3AB"), "sanitize/3ab.json"],
    [controlSocketOf("/s"), "control"],
    [reserveFileOf("/s"), "reserve"],
    [growthFileOf("/s"), "growth.json"],
  ] as const;
  for (const [path, name] of paths) assertEquals(path, `/s/.iscsi/${name}`);
});

Deno.test("workerFoldersOf() has the folders of all that a worker writes", () => {
  const folders = ["journals", "reservations", "sanitize"].map((name) => `/s/.iscsi/${name}`);
  assertEquals(workerFoldersOf("/s/.iscsi"), folders);
  assertEquals(inPlaceFoldersOf("/s/.iscsi"), folders.slice(1));
});

Deno.test("workerPlaceOf() is the state folder, or the folder of a port in it", () => {
  assertEquals([workerPlaceOf("/s"), workerPlaceOf("/s", 3261)], ["/s/.iscsi", "/s/.iscsi/port-3261"]);
});

Deno.test("unitOfState() knows the files of a logical unit by their names", () => {
  const naa = "3000000000000001";
  const names = [`atomic-${naa}.journal`, `atomic-${naa}.journal.kept`, `${naa}.json`];
  assertEquals(names.map(unitOfState), [naa, naa, naa]);
  assertEquals(["gate", `${naa}`, "growth.json", `atomic-${naa}.journal.other`].map(unitOfState), [
    ...[undefined, undefined, undefined, undefined],
  ]);
});
