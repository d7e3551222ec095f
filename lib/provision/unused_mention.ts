import { formatState, parseState } from "../store/state_text.ts";
import { replaceFile } from "../store/stable_storage.ts";
import { mentionedFileOf } from "./state_folder.ts";

const VERSION = 2;

/** The unused backing files that `build` has mentioned, which it does once for each set of them. */
export class UnusedMention {
  readonly #path: string;
  readonly #before: string;

  constructor(storage: string) {
    this.#path = mentionedFileOf(storage);
    this.#before = readPaths(this.#path);
  }

  /** Reports whether the set of unused files differs from the one that was mentioned last. */
  isNews(paths: readonly string[]): boolean {
    return textOf(paths) !== this.#before;
  }

  /** Records a set of unused files as mentioned. A failure means that it is mentioned again. */
  async record(paths: readonly string[]): Promise<void> {
    if (!this.isNews(paths)) return;
    try {
      await replaceFile(this.#path, formatState({ version: VERSION, body: { files: paths.toSorted() } }));
    } catch {
      // It is no more than a hint.
    }
  }
}

function textOf(paths: readonly string[]): string {
  return JSON.stringify(paths.toSorted());
}

/** Returns the recorded set as text; that of no files when none can be read. */
function readPaths(path: string): string {
  try {
    if (!Deno.lstatSync(path).isFile) return textOf([]);
    const { files } = parseState(Deno.readTextFileSync(path), VERSION).body;
    return JSON.stringify(files);
  } catch {
    return textOf([]);
  }
}
