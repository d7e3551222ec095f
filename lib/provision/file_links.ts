import { join } from "@std/path";
import { makeFolder, removeFolder } from "./passing_folder.ts";
import { ProvisionError } from "./provision_error.ts";
import { reasonOf } from "./reason_of.ts";
import { linksFolderOf } from "./state_folder.ts";

/**
 * Links in the state folder to backing files elsewhere, by which a target worker reaches them whose rights were fixed
 * before the conf named them: it has a right to the storage folder, and a link in there is followed. It can make none
 * itself. A link leads to where the file really is, so that nobody who can change a folder on the way makes it lead
 * elsewhere.
 */
export class FileLinks {
  readonly #folder: string;
  /** By the paths where the files really are. */
  readonly #links = new Map<string, string>();

  constructor(storage: string) {
    this.#folder = linksFolderOf(storage);
  }

  /**
   * Makes the links that there are not yet, and returns the links' paths by those of the files.
   *
   * @throws {ProvisionError} when a file has gone, or the system refuses a link
   */
  extend(paths: readonly string[]): ReadonlyMap<string, string> {
    if (paths.length > 0) makeFolder(this.#folder);
    return new Map(paths.map((path) => {
      const file = realPath(path);
      const link = this.#links.get(file) ?? this.#makeLink(file);
      this.#links.set(file, link);
      return [path, link];
    }));
  }

  /**
   * Removes every link, be it from an earlier process.
   *
   * @throws {ProvisionError} when the system refuses
   */
  remove(): void {
    removeFolder(this.#folder);
    this.#links.clear();
  }

  #makeLink(file: string): string {
    const link = join(this.#folder, crypto.randomUUID());
    try {
      Deno.symlinkSync(file, link);
      return link;
    } catch (error) {
      throw cannotLink(file, error);
    }
  }
}

/** Where a file is now: what leads there may have been changed since it was last in the conf. */
function realPath(path: string): string {
  try {
    return Deno.realPathSync(path);
  } catch (error) {
    throw cannotLink(path, error);
  }
}

function cannotLink(path: string, error: unknown): ProvisionError {
  return new ProvisionError(`Cannot make a link to "${path}": ${reasonOf(error)}`, { cause: error });
}
