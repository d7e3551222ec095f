import { GLOBALS_LINE, type Problem } from "../examine/examine.ts";
import { identitiesFileOf } from "../state_folder.ts";
import type { Survey } from "../survey.ts";

/** Finds a storage folder that is a copy of another one, or the other way round: their disks have one identity. */
export function findTwinStorage(
  _config: unknown,
  { storage, twinStorages }: { readonly storage: { readonly path: string } } & Pick<Survey, "twinStorages">,
): Problem[] {
  return twinStorages.map(({ path, files: [file, ...more] }) => {
    const others = more.length === 0 ? "" : ` and ${more.length} more`;
    const message =
      `Disks of "${storage.path}" have the identity of those of "${path}" ("${file}"${others}), as after a ` +
      "copy, and initiators take both for one disk: serve only one of the two folders, or move " +
      `"${identitiesFileOf(storage.path)}" away and run "iscsi build" to give the disks here new identities`;
    return { line: GLOBALS_LINE, message };
  });
}
