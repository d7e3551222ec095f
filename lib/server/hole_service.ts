/**
 * Makes holes in backing files for the target worker, which may not run programs: `fallocate --punch-hole`, of
 * util-linux. What a worker asks for is checked against the conf; nothing but its files is ever touched.
 *
 * A hole must not be made after this server has gone, when the next one may already write there. A program that was
 * started cannot be called back; so it reaches the file by a link in a folder of this run, which the next server
 * removes before it serves. What is on its way then does not find the file any more.
 */
import { join } from "@std/path";
import type { Config } from "../config/config.ts";
import type { EventLog } from "../iscsi/event_log.ts";
import { ProvisionError } from "../provision/provision_error.ts";
import { runHelper } from "../provision/run_helper.ts";
import { holesFolderOf } from "../provision/state_folder.ts";
import type { ByteRange } from "../store/byte_range.ts";
import type { PunchResult } from "../store/hole_puncher.ts";
import { GRANULE_BYTES_MIN } from "../store/space_map.ts";

/** Most that is asked of the kernel at once: it locks the file for so long. */
const STRETCH_BYTES = 1024 * 1024 * 1024;

/** How many programs run at a time: starting one takes far longer than the hole. */
const PROGRAMS_MAX = 2;

/** How long a program of an earlier run that has opened its file already is given to have done its work. */
const LEFTOVER_MS = 250;

/** A link to a file, and which file that is. */
interface FileLink {
  readonly link: string;
  readonly device: number;
  readonly inode: number | null;
}

/** A file in which holes can be made. */
interface SparseFile extends FileLink {
  readonly sizeBytes: number;
  /** Nobody may change it now, though it may become writable. */
  readonly readOnly: boolean;
}

/** What holes are made for. */
export interface HoleServiceSettings {
  readonly config: Config;
  /** Paths of the conf that are block devices. */
  readonly devicePaths: readonly string[];
}

/** The supervisor's side of thin provisioning. */
export class HoleService {
  #files: ReadonlyMap<string, SparseFile> = new Map();
  readonly #folder: string;
  readonly #run: string;
  /**
   * What came of asking whether holes can be made in a file, by the paths of those that the worker has open; a link, if
   * they can. It has the file of then, whatever takes its place under that path.
   */
  readonly #links = new Map<string, FileLink | undefined>();
  #lastLink = 0;
  /** Numbers of file systems in which holes can be made. */
  readonly #sparseFileSystems = new Set<number>();
  readonly #log: EventLog;
  readonly #underWay = new Set<Promise<unknown>>();
  readonly #refused = new Set<string>();
  #isAbandoned = false;

  /**
   * Makes none before it follows a conf. Nobody else may serve the storage folder.
   *
   * @throws {Error} (rejects) when the state folder cannot be written
   */
  static async open(storage: string, log: EventLog): Promise<HoleService> {
    const folder = holesFolderOf(storage);
    if (removeFolder(folder)) await new Promise((resolve) => setTimeout(resolve, LEFTOVER_MS));
    return new HoleService(folder, log);
  }

  private constructor(folder: string, log: EventLog) {
    this.#folder = folder;
    this.#run = join(folder, crypto.randomUUID());
    this.#log = log;
    Deno.mkdirSync(this.#run, { recursive: true, mode: 0o700 });
  }

  /**
   * Serves a conf from now on, in whose files holes can be made as far as their file systems can. What is not in it, or
   * may not be changed, is refused.
   */
  follow({ config, devicePaths }: HoleServiceSettings): void {
    const files = new Map<string, SparseFile>();
    for (const { readOnly, logicalUnits } of config.targets) {
      for (const { path, sizeBytes } of logicalUnits) {
        const link = devicePaths.includes(path) ? undefined : this.#linkTo(path, readOnly);
        if (link !== undefined) files.set(path, { ...link, sizeBytes, readOnly });
      }
    }
    const wanted = new Set(
      config.targets.flatMap(({ logicalUnits }) => logicalUnits.map(({ path }) => path)),
    );
    for (const path of this.#links.keys()) if (!wanted.has(path)) this.#links.delete(path);
    this.#files = files;
  }

  /** A link to a file in which holes can be made; undefined when that is not possible. */
  #linkTo(path: string, readOnly: boolean): FileLink | undefined {
    if (this.#links.has(path)) return this.#links.get(path);
    const link = this.#makeLink(path);
    const fault = typeof link === "string" ? link : this.#probe(link);
    this.#links.set(path, typeof link === "string" || fault !== undefined ? undefined : link);
    // Of what is not written to, no space could be given back anyway.
    if (fault !== undefined && !readOnly) {
      this.#log.warning(`Cannot give unused space of "${path}" back: ${fault}`);
    }
    return this.#links.get(path);
  }

  /** Makes a link to a file, or returns why not. */
  #makeLink(path: string): FileLink | string {
    const link = join(this.#run, String(++this.#lastLink));
    try {
      Deno.symlinkSync(path, link);
      const { dev, ino } = Deno.statSync(link);
      return { link, device: dev, inode: ino };
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }

  /**
   * Why no holes can be made in a file. To ask takes a program, some ten milliseconds; where holes can be made in one
   * file they can be made in all of the file system, and one that is different is found out when it is asked for.
   */
  #probe({ link, device }: FileLink): string | undefined {
    if (this.#sparseFileSystems.has(device)) return undefined;
    const fault = probe(link);
    if (fault === undefined) this.#sparseFileSystems.add(device);
    return fault;
  }

  /** The backing files in which holes can be made. */
  get paths(): readonly string[] {
    return [...this.#files.keys()];
  }

  /** Makes holes in a file, or says why not; whoever asks for what he may not is told `refused`. */
  async punch(path: string, ranges: readonly ByteRange[]): Promise<PunchResult> {
    const file = this.#files.get(path);
    if (file === undefined || file.readOnly || !ranges.every((range) => isWithin(range, file.sizeBytes))) {
      this.#log.warning(`Target worker asked for a hole that it has no right to, in "${path}"`);
      return "refused";
    }
    const work = this.#punchAll(path, file, ranges.flatMap(cutIntoStretches));
    this.#underWay.add(work);
    try {
      return await work;
    } finally {
      this.#underWay.delete(work);
    }
  }

  /** Ends what a worker that has gone has asked for, and then serves the next. */
  async renew(): Promise<void> {
    this.abandon();
    await Promise.all(this.#underWay);
    this.#isAbandoned = false;
    this.#links.clear();
  }

  /** What has not begun does not begin, until `renew`. */
  abandon(): void {
    this.#isAbandoned = true;
  }

  /** Ends the service. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.renew();
    removeFolder(this.#folder);
  }

  async #punchAll(path: string, file: SparseFile, stretches: ByteRange[]): Promise<PunchResult> {
    let fault: string | undefined;
    const lane = async (): Promise<void> => {
      for (let next = stretches.shift(); next !== undefined; next = stretches.shift()) {
        if (this.#isAbandoned || fault !== undefined) return void stretches.unshift(next);
        fault ??= await punchHole(file, next);
      }
    };
    await Promise.all(Array.from({ length: PROGRAMS_MAX }, lane));
    if (fault !== undefined) {
      this.#warnOnce(path, fault);
      return "refused";
    }
    return stretches.length === 0 ? "punched" : "abandoned";
  }

  #warnOnce(path: string, fault: string): void {
    if (this.#refused.has(path)) return;
    this.#refused.add(path);
    this.#log.warning(`Cannot make a hole in "${path}": ${fault}; writing zeros instead`);
  }
}

/** Removes a folder with all that is in it; false when there was none. */
function removeFolder(folder: string): boolean {
  try {
    Deno.removeSync(folder, { recursive: true });
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** Why no holes can be made in a file. A hole behind its end changes nothing, and is refused by whoever makes none. */
function probe(link: string): string | undefined {
  try {
    const end = Math.ceil(Deno.statSync(link).size / GRANULE_BYTES_MIN) * GRANULE_BYTES_MIN;
    const { success, stderr } = runHelper(
      "fallocate",
      punchArguments(link, { offset: end, lengthBytes: GRANULE_BYTES_MIN }),
    );
    return success ? undefined : stderr;
  } catch (error) {
    if (error instanceof ProvisionError) return error.message;
    throw error;
  }
}

function punchArguments(link: string, { offset, lengthBytes }: ByteRange): string[] {
  return ["--punch-hole", "--keep-size", "--offset", String(offset), "--length", String(lengthBytes), link];
}

/** Makes one hole, or returns why not. */
async function punchHole({ link, ...file }: FileLink, range: ByteRange): Promise<string | undefined> {
  // The worker has the file open and writes there, but a path leads to whatever was moved to it: a hole in that would
  // take from a copy that was put back what was deleted since from the disk.
  if (!leadsTo(link, file)) return "another file has taken its place";
  const args = punchArguments(link, range);
  const command = new Deno.Command("fallocate", {
    args,
    stdin: "null",
    stdout: "null",
    stderr: "piped",
    env: { LC_ALL: "C" },
  });
  try {
    const { success, stderr } = await command.output();
    return success ? undefined : new TextDecoder().decode(stderr).trimEnd();
  } catch (error) {
    return String(error);
  }
}

function leadsTo(link: string, { device, inode }: Omit<FileLink, "link">): boolean {
  try {
    const { dev, ino } = Deno.statSync(link);
    return dev === device && ino === inode;
  } catch {
    return false;
  }
}

/** Whether a range consists of whole granules of the store; it came from the worker, which is not trusted. */
function isWithin({ offset, lengthBytes }: ByteRange, sizeBytes: number): boolean {
  return [offset, lengthBytes].every((bytes) =>
    Number.isSafeInteger(bytes) && bytes % GRANULE_BYTES_MIN === 0
  ) &&
    offset >= 0 && lengthBytes > 0 && offset + lengthBytes <= sizeBytes;
}

function cutIntoStretches({ offset, lengthBytes }: ByteRange): ByteRange[] {
  const count = Math.ceil(lengthBytes / STRETCH_BYTES);
  return Array.from({ length: count }, (_, index) => ({
    offset: offset + index * STRETCH_BYTES,
    lengthBytes: Math.min(STRETCH_BYTES, lengthBytes - index * STRETCH_BYTES),
  }));
}
