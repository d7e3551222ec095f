import { createHash } from "node:crypto";
import type { Config } from "../config/config.ts";
import { formatState, parseState } from "../store/state_text.ts";
import { backingFilesOf } from "./backing_files.ts";
import { ProvisionError, reasonOf } from "./provision_error.ts";
import { replaceFile, syncPath } from "../store/stable_storage.ts";
import { buildMarkOf, identitiesFileOf, stateFolderOf } from "./state_folder.ts";
import { isRecord } from "../base/is_record.ts";

/** What a mark vouches for. */
interface Vouched {
  /** The text of the identities file, as a hash. */
  readonly identities: string;
  /** What a file was, by its path. */
  readonly files: Readonly<Record<string, unknown>>;
}

/** State files have a checksum from this version on. */
const VERSION = 2;

/**
 * The mark by which a build that has ended in order vouches for what it left: the files, their names and their
 * identities are on stable storage. A build that finds no mark, or the mark of something else, cannot know whether what
 * it finds outlives a loss of power, since a build that was killed may have left it.
 *
 * It is removed before the first change and set after the last. After a loss of power an old mark may be there again;
 * then everything was read from stable storage.
 */
export class BuildMark {
  readonly #config: Config;
  readonly #path: string;
  readonly #vouched: Vouched;

  /** Reads the mark for a conf. */
  constructor(config: Config) {
    this.#config = config;
    this.#path = buildMarkOf(config.storage);
    this.#vouched = parseMark(readText(this.#path));
  }

  /** Whether the last build vouches for all that the conf needs. */
  vouchesForAll(): boolean {
    return this.#vouched.identities === hashOfIdentities(this.#config) &&
      backingFilesOf(this.#config).every((path) => this.vouchesFor(path));
  }

  /**
   * Whether the last build vouches for a file: it is the one that the build left, and has the size that it had then.
   */
  vouchesFor(path: string): boolean {
    const now = describeFile(path);
    return now !== undefined && this.#vouched.files[path] === now;
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

  /** Vouches for what is there now, which is on stable storage. */
  async set(): Promise<void> {
    const files = Object.fromEntries(backingFilesOf(this.#config).map((path) => [path, describeFile(path)]));
    const body = { identities: hashOfIdentities(this.#config), files };
    try {
      await replaceFile(this.#path, formatState({ version: VERSION, body }));
    } catch {
      // Without a mark, the next build makes sure again.
    }
  }
}

function parseMark(text: string | undefined): Vouched {
  try {
    const { identities, files } = parseState(text ?? "", VERSION).body;
    if (typeof identities === "string" && isRecord(files)) return { identities, files };
  } catch {
    // It vouches for nothing.
  }
  return { identities: "", files: {} };
}

function hashOfIdentities({ storage }: Config): string {
  return createHash("sha256").update(readText(identitiesFileOf(storage)) ?? "").digest("hex");
}

/** Describes a file such that another one in its place, or one of another size, has another description. */
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
