import { identitiesFileOf, stateFolderOf } from "../state_folder.ts";
import type { Place, Survey } from "../survey.ts";
import { findSystemFolder } from "../system_folders.ts";

/** Finds the problem with the storage folder or its state folder; undefined when both exist or can be made. */
export function findFolderProblem({ storage, stateFolder }: Survey): string | undefined {
  return folderProblem(storage, storage.realPath, 'set "storage" to the path of a folder') ??
    folderProblem(stateFolder, stateFolderOf(storage.realPath), "move it away");
}

/** Finds the problem with a storage folder before its first build: it is no place for disks. */
export function findMisplacedStorage({ storage, stateFolder }: Survey): string | undefined {
  const use = `Cannot use "${storage.path}" as a folder`;
  const remedy = 'set "storage" to another folder';
  if (storage.realPath === "/") {
    return `${use}: a symbolic link leads to "/", which contains every file; ${remedy}`;
  }
  if (stateFolder.entry.kind === "folder") return undefined;
  const folder = findSystemFolder(storage.realPath);
  return folder && `${use}: "${folder}" belongs to the operating system; ${remedy}`;
}

/** Finds the problem with the recorded identities. */
export function findIdentitiesProblem({ storage, recorded }: Survey): string | undefined {
  if (recorded.kind === "recorded") return undefined;
  const problem = `Cannot read "${identitiesFileOf(storage.path)}": ${recorded.reason}`;
  // Discarding identities makes initiators lose their disks, so that is suggested only when they are lost already.
  if (recorded.kind === "unreadable") return problem;
  return `${problem}; restore it from a backup, or move it away and run "iscsi build" to give every LUN a new ` +
    "identity (initiators will take them for new disks)";
}

function folderProblem(place: Place, expectedRealPath: string, remedy: string): string | undefined {
  const { path, entry, ancestor } = place;
  const use = `Cannot use "${path}" as a folder`;
  switch (entry.kind) {
    case "folder":
      if (place.realPath === expectedRealPath) return undefined;
      return `${use}: a symbolic link leads to "${place.realPath}"; ${remedy}`;
    case "missing":
      if (ancestor.isForbidden) {
        return `${use}: it does not exist, and this program was compiled without the right to create it; run ` +
          `"mkdir ${path}"`;
      }
      return ancestor.isFolder ? undefined : `${use}: "${ancestor.path}" is not a folder; ${remedy}`;
    case "danglingLink":
      return `${use}: it is a broken symbolic link, to "${entry.leadsTo}"; ${remedy}`;
    case "unreadable":
      return `Cannot access "${path}": ${entry.reason}`;
    case "file":
    case "blockDevice":
    case "special":
      return `${use}: it is not a folder; ${remedy}`;
  }
}
