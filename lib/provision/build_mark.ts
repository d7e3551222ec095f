import { createHash } from "node:crypto";
import type { Config } from "../config/config.ts";
import { formatState, parseState } from "../store/state_text.ts";
import { backingFilesOf } from "./backing_files.ts";
import { ProvisionError, reasonOf } from "./provision_error.ts";
import { replaceFile, syncPath } from "../store/stable_storage.ts";
import { buildMarkOf, identitiesFileOf, stateFolderOf } from "./state_folder.ts";
import { isRecord } from "../base/is_record.ts";

/** The content of a mark: the state that is on stable storage. */
interface MarkedState {
  /** The hash of the identities file. */
  readonly identities: string;
  /** The description of each file, by path. */
  readonly files: Readonly<Record<string, unknown>>;
}

/** State files have a checksum from this version on. */
const VERSION = 2;

/**
 * The mark of a completed build: the files, their names and their identities are on stable storage. Without a mark, or
 * with a mark of another state, a build that was killed may have left files that a loss of power would undo.
 *
 * The mark is removed before the first change and set after the last. A loss of power may restore an old mark; then
 * the rest of the disk was also read from stable storage.
 */
export class BuildMark {
  readonly #config: Config;
  readonly #path: string;
  readonly #state: MarkedState;

  /** Reads the mark for a conf. */
  constructor(config: Config) {
    this.#config = config;
    this.#path = buildMarkOf(config.storage);
    this.#state = parseMark(readText(this.#path));
  }

  /** Reports whether the identities and all files of the conf are on stable storage. */
  coversAll(): boolean {
    return this.#state.identities === hashOfIdentities(this.#config) &&
      backingFilesOf(this.#config).every((path) => this.covers(path));
  }

  /** Reports whether a file is on stable storage: it is the same file as after the last build, with the same size. */
  covers(path: string): boolean {
    const now = describeFile(path);
    return now !== undefined && this.#state.files[path] === now;
  }

  /**
   * Removes the mark.
   *
   * @throws {ProvisionError} when the system refuses
   */
  async remove(): Promise<void> {
    try {
      Deno.removeSync(this.#path);
      await syncPath(stateFolderOf(this.#config.storage));
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return;
      throw new ProvisionError(`Cannot remove "${this.#path}": ${reasonOf(error)}`, { cause: error });
    }
  }

  /** Sets the mark for the current state, which must be on stable storage. */
  async set(): Promise<void> {
    const files = Object.fromEntries(backingFilesOf(this.#config).map((path) => [path, describeFile(path)]));
    const body = { identities: hashOfIdentities(this.#config), files };
    try {
      await replaceFile(this.#path, formatState({ version: VERSION, body }));
    } catch {
      // Without a mark, the next build syncs everything again.
    }
  }
}

function parseMark(text: string | undefined): MarkedState {
  try {
    const { identities, files } = parseState(text ?? "", VERSION).body;
    if (typeof identities === "string" && isRecord(files)) return { identities, files };
  } catch {
    // An unreadable mark covers nothing.
  }
  return { identities: "", files: {} };
}

function hashOfIdentities({ storage }: Config): string {
  return createHash("sha256").update(readText(identitiesFileOf(storage)) ?? "").digest("hex");
}

/** Describes a file. Another file at the same path, or another size, gives another description. */
function describeFile(path: string): string | undefined {
  try {
    const { dev, ino, size, birthtime } = Deno.statSync(path);
    return `${dev} ${ino} ${size} ${birthtime?.getTime()}`;
  } catch {
    return undefined;
  }
}

function readText(path: string): string | undefined {
  try {
    return Deno.lstatSync(path).isFile ? Deno.readTextFileSync(path) : undefined;
  } catch {
    return undefined;
  }
}
