/**
 * Makes holes in backing files for the target worker, which may not run programs: `fallocate --punch-hole`, of
 * util-linux. What a worker asks for is checked against the conf; only its files are touched, and of these only the
 * ones that may be written.
 *
 * A hole that is made late must not swallow the write of a later worker or server. Within this process `renew` waits
 * for it; for the next server the `HelperGuard` does.
 */
import type { Config } from "../config/config.ts";
import type { EventLog } from "../iscsi/events/event_log.ts";
import type { HelperGuard } from "../provision/helper_guard.ts";
import { HolePrograms, PROGRAMS_MAX } from "../provision/hole_programs.ts";
import { PUNCH_OPTIONS } from "../provision/hole_shell.ts";
import { ProvisionError } from "../provision/provision_error.ts";
import type { HelperResult } from "../provision/run_helper.ts";
import type { ByteRange } from "../store/byte_range.ts";
import type { PunchResult } from "../store/hole_puncher.ts";
import { GRANULE_BYTES_MIN } from "../store/space_map.ts";
import { type FileIdentity, identify, pinFile, type PinnedFile } from "./pinned_file.ts";

/** Most that is asked of the kernel at once: it locks the file for so long. */
const STRETCH_BYTES = 1024 * 1024 * 1024;

/** How long a hole may take before the log says that the next worker waits for it. */
const PATIENCE_MS = 1_000;

/** A file in which holes can be made. */
interface SparseFile {
  readonly identity: FileIdentity;
  readonly sizeBytes: number;
  /** It may not be changed now, though it may become writable. */
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
  readonly #guard: HelperGuard;
  readonly #programs: HolePrograms;
  readonly #log: EventLog;
  /**
   * The files that the worker has open, by their paths, and which files these are: whatever takes the place of one is
   * another. Undefined for those in which no holes can be made.
   */
  readonly #identities = new Map<string, FileIdentity | undefined>();
  /** Numbers of file systems in which holes can be made. */
  readonly #sparseFileSystems = new Set<number>();
  /** By path: holes that are being made. */
  readonly #underWay = new Map<Promise<unknown>, string>();
  /** By path: holes in a row that could not be made. */
  readonly #failures = new Map<string, number>();
  #isAbandoned = false;

  /** Makes no holes before it follows a conf. */
  constructor(guard: HelperGuard, log: EventLog) {
    this.#guard = guard;
    this.#programs = new HolePrograms(guard);
    this.#log = log;
  }

  /**
   * Serves a conf from now on, in whose files holes can be made as far as their file systems can. What is not in it,
   * or may not be changed, is refused.
   */
  follow({ config, devicePaths }: HoleServiceSettings): void {
    const files = new Map<string, SparseFile>();
    for (const { readOnly, logicalUnits } of config.targets) {
      for (const { path, sizeBytes } of logicalUnits) {
        const identity = devicePaths.includes(path) ? undefined : this.#identify(path, readOnly);
        if (identity !== undefined) files.set(path, { identity, sizeBytes, readOnly });
      }
    }
    const wanted = new Set(
      config.targets.flatMap(({ logicalUnits }) => logicalUnits.map(({ path }) => path)),
    );
    for (const path of this.#identities.keys()) if (!wanted.has(path)) this.#identities.delete(path);
    this.#files = files;
  }

  /** Which file it is in which holes can be made; undefined when that is not possible. */
  #identify(path: string, readOnly: boolean): FileIdentity | undefined {
    if (this.#identities.has(path)) return this.#identities.get(path);
    const identity = identify(path);
    const fault = typeof identity === "string" ? identity : this.#probe(path, identity);
    this.#identities.set(path, typeof identity === "string" || fault !== undefined ? undefined : identity);
    // The space of a file that is not written to could not be given back anyway.
    if (fault !== undefined && !readOnly) {
      this.#log.warning(`Cannot give unused space of "${path}" back: ${fault}`);
    }
    return this.#identities.get(path);
  }

  /**
   * Why no holes can be made in a file. To ask takes a program, some ten milliseconds; where holes can be made in one
   * file they can be made in all of the file system, and one that is different is found out when it is asked for. A
   * hole behind the end of a file changes nothing, and is refused where none can be made.
   */
  #probe(path: string, identity: FileIdentity): string | undefined {
    if (this.#sparseFileSystems.has(identity.device)) return undefined;
    using pinned = this.#pin(path, identity);
    if (pinned.fault !== undefined) return pinned.fault;
    const end = Math.ceil(identity.sizeBytes / GRANULE_BYTES_MIN) * GRANULE_BYTES_MIN;
    const range = ["--offset", String(end), "--length", String(GRANULE_BYTES_MIN)];
    const args = [...PUNCH_OPTIONS, ...range, pinned.path];
    try {
      const fault = faultOf(this.#guard.runNow("fallocate", args));
      if (fault === undefined) this.#sparseFileSystems.add(identity.device);
      return fault;
    } catch (error) {
      if (error instanceof ProvisionError) return error.message;
      throw error;
    }
  }

  #pin(path: string, identity: FileIdentity): PinnedFile {
    return pinFile(path, this.#guard.linkTo(path), identity);
  }

  /** The backing files in which holes can be made. */
  get paths(): readonly string[] {
    return [...this.#files.keys()];
  }

  /** Makes holes in a file, or says why not; a request that the worker has no right to make is refused. */
  async punch(path: string, ranges: readonly ByteRange[]): Promise<PunchResult> {
    const file = this.#files.get(path);
    if (file === undefined || file.readOnly || !ranges.every((range) => isWithin(range, file.sizeBytes))) {
      this.#log.warning(`Target worker asked for a hole that it has no right to, in "${path}"`);
      return "refused";
    }
    const work = this.#punchAll(path, file, ranges.flatMap(cutIntoStretches));
    this.#underWay.set(work, path);
    try {
      return await work;
    } finally {
      this.#underWay.delete(work);
    }
  }

  /** Ends what a worker that has gone has asked for, however long that takes, and then serves the next. */
  async renew(): Promise<void> {
    this.abandon();
    const timer = setTimeout(() => this.#sayWhatIsUnderWay(), PATIENCE_MS);
    await Promise.all(this.#underWay.keys());
    clearTimeout(timer);
    this.#isAbandoned = false;
    this.#identities.clear();
    this.#failures.clear();
  }

  /** Ends the programs after the hole that each makes. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.renew();
    await this.#programs[Symbol.asyncDispose]();
  }

  /** What has not begun does not begin, until `renew`. */
  abandon(): void {
    this.#isAbandoned = true;
  }

  #sayWhatIsUnderWay(): void {
    const paths = [...new Set(this.#underWay.values())].map((path) => `"${path}"`).join(", ");
    this.#log.warning(`Waiting for "fallocate" to end in ${paths}: nothing else is served before`);
  }

  async #punchAll(path: string, { identity }: SparseFile, stretches: ByteRange[]): Promise<PunchResult> {
    using pinned = this.#pin(path, identity);
    let { fault } = pinned;
    const work = async (): Promise<void> => {
      while (stretches.length > 0) {
        using place = await this.#programs.slotIn(identity.device);
        const next = this.#isAbandoned || fault !== undefined ? undefined : stretches.shift();
        if (next === undefined) return;
        const outcome = await place.punch(pinned.path, next);
        // Another hole may have failed meanwhile.
        fault ??= outcome;
      }
    };
    await Promise.all(Array.from({ length: PROGRAMS_MAX }, work));
    if (fault === undefined && stretches.length > 0) return "abandoned";
    this.#count(path, fault);
    return fault === undefined ? "punched" : "refused";
  }

  /** Logs the first of several failures in a row, and how many there were when they are over. */
  #count(path: string, fault: string | undefined): void {
    const failures = this.#failures.get(path) ?? 0;
    if (fault !== undefined) {
      this.#failures.set(path, failures + 1);
      if (failures > 0) return;
      const consequence = "its unused space is not given back; further failures are counted";
      this.#log.warning(`Cannot make a hole in "${path}": ${fault}; ${consequence}`);
    } else if (this.#failures.delete(path)) {
      this.#log.info(`Holes can be made in "${path}" again, after ${failures} that could not`);
    }
  }
}

function faultOf({ success, stderr }: HelperResult): string | undefined {
  return success ? undefined : stderr === "" ? '"fallocate" was ended from outside' : stderr;
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
