/**
 * Punches holes in backing files for the target worker, which has no right to run programs. Requests are checked
 * against the conf: only its writable files are changed.
 *
 * A late hole must not destroy the data that a later worker or server writes. Within this process `renew` waits for
 * running programs; in the next server `HelperGuard` does.
 */
import type { Config } from "../../config/config.ts";
import type { EventLog } from "../../iscsi/events/event_log.ts";
import type { HelperGuard } from "../../provision/helper_guard.ts";
import { HolePrograms, type HoleSlot } from "../../provision/hole_programs.ts";
import { PUNCH_OPTIONS } from "../../provision/hole_shell.ts";
import { ProvisionError } from "../../provision/provision_error.ts";
import type { HelperResult } from "../../provision/run_helper.ts";
import type { ByteRange } from "../../store/byte_range.ts";
import type { PunchResult } from "../../store/hole_puncher.ts";
import { GRANULE_BYTES_MIN } from "../../store/space_map.ts";
import { nameOf } from "../problem_log.ts";
import { type DiscardingDevice, findDiscardingDevice } from "./discarding_device.ts";
import { type FileIdentity, identify, pinFile, pinNode } from "./pinned_file.ts";
import { PinnedFiles } from "./pinned_files.ts";

/** Largest range for one call, during which the kernel locks the file. */
const STRETCH_BYTES = 1024 * 1024 * 1024;

/** The most ranges of a request to a program, and the most bytes: a program that was started is waited for. */
const PART_RANGES_MAX = 512;
const PART_BYTES_MAX = STRETCH_BYTES;

/** Milliseconds after which a delay of the next worker is logged. */
const SLOW_MS = 1_000;

/** A file that supports holes. */
interface SparseFile {
  /** The name of its logical unit in the log. */
  readonly name: string;
  readonly identity: FileIdentity;
  readonly sizeBytes: number;
  /** True if the conf makes the file read-only; a reload may make it writable. */
  readonly readOnly: boolean;
  /** The block device; undefined for a file. */
  readonly device?: DiscardingDevice;
}

/** The conf whose files are served. */
export interface HoleServiceSettings {
  readonly config: Config;
  /** Paths of the conf that are block devices. */
  readonly devicePaths: readonly string[];
  /** Paths that are not served now; none by default. */
  readonly excluded?: readonly string[];
}

/** The supervisor's side of thin provisioning. */
export class HoleService {
  #files: ReadonlyMap<string, SparseFile> = new Map();
  readonly #guard: HelperGuard;
  readonly #programs: HolePrograms;
  readonly #pins: PinnedFiles;
  readonly #log: EventLog;
  /**
   * The identities of the files that the worker has open, by path; a replacement has another identity. Undefined for
   * files that do not support holes.
   */
  readonly #identities = new Map<string, FileIdentity | undefined>();
  /** The devices that the worker has open, by path; undefined for those that cannot discard. */
  readonly #devices = new Map<string, DiscardingDevice | undefined>();
  /** The nodes of devices for which `fallocate` was refused and `blkdiscard` was not. */
  readonly #discarding = new Set<string>();
  /** Numbers of the file systems that support holes. */
  readonly #sparseFileSystems = new Set<number>();
  /** The requests under way, with the path of each. */
  readonly #underWay = new Map<Promise<unknown>, string>();
  /** Consecutive failures by path. */
  readonly #failures = new Map<string, number>();
  #isAbandoned = false;

  /** Creates a service that refuses all requests until `follow` is called. */
  constructor(guard: HelperGuard, log: EventLog) {
    this.#guard = guard;
    this.#programs = new HolePrograms(guard);
    this.#pins = new PinnedFiles((path) => guard.linkTo(path));
    this.#log = log;
  }

  /**
   * Accepts requests for the writable files of a conf, if their file systems support holes. All other requests are
   * refused.
   */
  follow({ config, devicePaths, excluded = [] }: HoleServiceSettings): void {
    const files = new Map<string, SparseFile>();
    for (const { name: target, readOnly, logicalUnits } of config.targets) {
      for (const { path, sizeBytes, number } of logicalUnits) {
        const name = nameOf(target, number);
        if (excluded.includes(path)) {
          // Another file may have the path when it is served.
          this.#identities.delete(path);
          continue;
        }
        const device = devicePaths.includes(path) ? this.#findDevice(path, { name, readOnly }) : undefined;
        const identity = devicePaths.includes(path)
          ? device?.identity
          : this.#identify(path, { name, readOnly });
        if (identity === undefined) continue;
        files.set(path, { name, identity, sizeBytes, readOnly, ...(device !== undefined && { device }) });
      }
    }
    const wanted = new Set(
      config.targets.flatMap(({ logicalUnits }) => logicalUnits.map(({ path }) => path)),
    );
    for (const paths of [this.#identities, this.#devices]) {
      for (const path of paths.keys()) if (!wanted.has(path)) paths.delete(path);
    }
    this.#files = files;
    this.#pins.retain((path) => files.get(path)?.identity);
  }

  /** Forgets devices that are gone, or others now. */
  forget(paths: Iterable<string>): void {
    for (const path of paths) this.#devices.delete(path);
  }

  /** Returns the identity of a file; undefined when the file does not support holes. */
  #identify(
    path: string,
    { name, readOnly }: Pick<SparseFile, "name" | "readOnly">,
  ): FileIdentity | undefined {
    if (this.#identities.has(path)) return this.#identities.get(path);
    const identity = identify(path);
    const fault = typeof identity === "string" ? identity : this.#probe(path, identity);
    this.#identities.set(path, typeof identity === "string" || fault !== undefined ? undefined : identity);
    // No space of a read-only file becomes unused.
    if (fault !== undefined && !readOnly) {
      this.#log.warning(`${name}: Cannot release unused space of "${path}": ${fault}`);
    }
    return this.#identities.get(path);
  }

  /** Returns a device that can discard; undefined for another. */
  #findDevice(
    path: string,
    { name, readOnly }: Pick<SparseFile, "name" | "readOnly">,
  ): DiscardingDevice | undefined {
    if (this.#devices.has(path)) return this.#devices.get(path);
    let device: DiscardingDevice | undefined;
    try {
      device = readOnly ? undefined : findDiscardingDevice(path, this.#guard);
    } catch (error) {
      if (!(error instanceof ProvisionError)) throw error;
      this.#log.warning(`${name}: Cannot release unused space of "${path}": ${error.message}`);
    }
    // A reload may make a read-only device writable.
    if (!readOnly) this.#devices.set(path, device);
    return device;
  }

  /**
   * Returns why a file does not support holes; undefined when it does. The check runs a program for some 10 ms, so its
   * result holds for all files of the file system; an exception fails at its first hole. The check punches a hole
   * behind the end of the file, which changes nothing.
   */
  #probe(path: string, identity: FileIdentity): string | undefined {
    if (this.#sparseFileSystems.has(identity.device)) return undefined;
    using pinned = pinFile(path, this.#guard.linkTo(path), identity);
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

  /** The paths of the backing files that support holes. */
  get paths(): readonly string[] {
    return [...this.#files.keys()];
  }

  /** Punches holes in a file. Refuses a request outside the worker's rights. */
  async punch(path: string, ranges: readonly ByteRange[]): Promise<PunchResult> {
    const file = this.#files.get(path);
    if (file === undefined || file.readOnly || !ranges.every((range) => isWithin(range, file.sizeBytes))) {
      this.#log.warning(`Target worker requested a hole without the right to it, in "${path}"`);
      return "refused";
    }
    const work = this.#punchAll(path, file, cutIntoParts(ranges.flatMap(cutIntoStretches)));
    this.#underWay.set(work, path);
    try {
      return await work;
    } finally {
      this.#underWay.delete(work);
    }
  }

  /** Waits until the requests of a former worker have ended, without a limit, and then accepts those of the next. */
  async renew(): Promise<void> {
    this.abandon();
    const timer = setTimeout(() => this.#logWait(), SLOW_MS);
    await Promise.all(this.#underWay.keys());
    clearTimeout(timer);
    this.#pins[Symbol.dispose]();
    this.#isAbandoned = false;
    this.#identities.clear();
    this.#devices.clear();
    this.#failures.clear();
  }

  /** Ends the helper programs after their current holes. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.renew();
    await this.#programs[Symbol.asyncDispose]();
  }

  /** Skips all holes that have not been started, until `renew`. */
  abandon(): void {
    this.#isAbandoned = true;
    this.#pins[Symbol.dispose]();
  }

  #logWait(): void {
    const paths = [...new Set(this.#underWay.values())].map((path) => `"${path}"`).join(", ");
    this.#log.warning(
      `Waiting for a program that makes holes in ${paths}: until it has ended no other worker starts`,
    );
  }

  /** Makes holes in a file, one part at a time, because the kernel makes one at a time. */
  async #punchAll(
    path: string,
    { name, identity, device }: SparseFile,
    parts: readonly (readonly ByteRange[])[],
  ): Promise<PunchResult> {
    using pinned = device === undefined ? this.#pins.pin(path, identity) : pinNode(device.node);
    let { fault } = pinned;
    for (const part of fault === undefined ? parts : []) {
      using slot = await this.#programs.slotIn(identity.device);
      if (this.#isAbandoned) return "abandoned";
      fault = await this.#punchBy(slot, pinned.path, part, device);
      if (fault !== undefined) break;
    }
    this.#count(name, path, fault);
    if (fault !== undefined) {
      // The cause may be the link.
      this.#pins.drop(path);
      return "refused";
    }
    return device !== undefined && this.#discarding.has(device.node) ? "discarded" : "punched";
  }

  /** Gives ranges back by the first program that can; returns the faults when none can. */
  async #punchBy(
    slot: HoleSlot,
    path: string,
    ranges: readonly ByteRange[],
    device: DiscardingDevice | undefined,
  ): Promise<string | undefined> {
    if (this.#discarding.has(path)) return await slot.punch(path, ranges, "blkdiscard");
    const fault = await slot.punch(path, ranges);
    if (fault === undefined || device?.isThinVolume !== true) return fault;
    const refusal = await slot.punch(path, ranges, "blkdiscard");
    if (refusal !== undefined) return `${fault}; ${refusal}`;
    this.#discarding.add(path);
    return undefined;
  }

  /** Logs the first of consecutive failures, and their count when they are over. */
  #count(name: string, path: string, fault: string | undefined): void {
    const failures = this.#failures.get(path) ?? 0;
    if (fault !== undefined) {
      this.#failures.set(path, failures + 1);
      if (failures > 0) return;
      const consequence = "its unused space is not released; further failures are counted";
      this.#log.warning(`${name}: Cannot punch a hole in "${path}": ${fault}; ${consequence}`);
    } else if (this.#failures.delete(path)) {
      this.#log.info(`${name}: Punching holes in "${path}" works again, after ${failures} failures`);
    }
  }
}

function faultOf({ success, stderr }: HelperResult): string | undefined {
  return success ? undefined : stderr === "" ? '"fallocate" was killed' : stderr;
}

/** Returns whether a range, which the untrusted worker sent, consists of whole granules within the file. */
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

/** Divides ranges into the parts that a program gets at a time. */
function cutIntoParts(ranges: readonly ByteRange[]): ByteRange[][] {
  const parts: ByteRange[][] = [];
  let partBytes = Infinity;
  for (const range of ranges) {
    partBytes += range.lengthBytes;
    if (partBytes <= PART_BYTES_MAX && parts.at(-1)!.length < PART_RANGES_MAX) parts.at(-1)!.push(range);
    else {
      parts.push([range]);
      partBytes = range.lengthBytes;
    }
  }
  return parts;
}
