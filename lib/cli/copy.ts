import { dirname } from "@std/path";
import type { Config } from "../config/config.ts";
import { formatSize, parseSize } from "../config/size.ts";
import { ControlClient } from "../control/control_client.ts";
import { ControlError } from "../control/control_error.ts";
import type { UnitAddress } from "../control/control_requests.ts";
import { DEVICES_FOLDER } from "../provision/block_device.ts";
import { lockForCopy } from "../provision/copy/copy_lock.ts";
import { isInside } from "../provision/is_inside.ts";
import { ProvisionError, reasonOf } from "../provision/provision_error.ts";
import { controlSocketOf, stateFolderOf } from "../provision/state_folder.ts";
import { StorageLock } from "../provision/storage_lock.ts";
import { refuseUnlessConfirmed } from "./confirmation.ts";
import type { Context } from "./context.ts";
import { type FileEnd, findEnd, sizeOfImage, type StreamEnd, type UnitEnd } from "./copy_ends.ts";
import { CopyReporter } from "./copy_reporter.ts";
import { type CopyWork, type DiskSource, makeCopy, type ServedLun, type StreamSource } from "./copy_work.ts";
import { EXIT_CODES, type ExitCode } from "./exit_code.ts";
import { explainControlError } from "./find_server.ts";
import { Interruption } from "./interruption.ts";
import { loadConfig } from "./load_config.ts";
import { OPTIONS, type OptionValues } from "./options.ts";

/** A server that runs, with the LUNs that it serves. */
interface RunningServer {
  readonly client: ControlClient;
  readonly units: readonly (UnitAddress & { readonly path: string; readonly sizeBytes: number })[];
}

/** `iscsi copy`: copies a disk as it is now, also while it is served. */
export async function copy(
  context: Context,
  options: OptionValues,
  [from = "", to = ""]: readonly string[],
): Promise<ExitCode> {
  const rate = rateOf(options);
  if (rate.problem !== undefined) return refuse(context, rate.problem, EXIT_CODES.wrongUsage.code);
  const loaded = confOf(options, context);
  if ("exitCode" in loaded) return loaded.exitCode;
  const { config } = loaded;
  try {
    const source = findEnd(from, config);
    const destination = findEnd(to, config);
    const storage = options.storage ?? config?.storage;
    const server = storage === undefined ? undefined : await findRunning(storage);
    const plan = planCopy({ source, destination, server, options });
    const refusal = await confirmReplacement(destination, options, context);
    if (refusal !== undefined) return refusal;
    return await perform(
      { ...plan, bytesPerSecond: rate.bytesPerSecond, label: to },
      destination,
      context,
    );
  } catch (error) {
    if (!(error instanceof ProvisionError)) throw error;
    return refuse(context, error.message, EXIT_CODES.failed.code);
  }
}

function refuse(context: Context, problem: string, code: ExitCode): ExitCode {
  context.stderr.write(`iscsi: ${problem}\n`);
  return code;
}

function rateOf(
  { rate }: OptionValues,
): { readonly bytesPerSecond: number | undefined; readonly problem?: string } {
  if (rate === undefined) return { bytesPerSecond: undefined };
  const { sizeBytes, problem } = parseSize(rate);
  if (problem === undefined) return { bytesPerSecond: sizeBytes };
  return { bytesPerSecond: undefined, problem: `Option "--rate" cannot be "${rate}": ${problem}` };
}

/** Returns the conf; undefined when there is none and none was named: images can be copied without one. */
function confOf(
  options: OptionValues,
  context: Context,
): { readonly config: Config | undefined } | { readonly exitCode: ExitCode } {
  try {
    Deno.statSync(options.conf);
  } catch {
    if (options.conf === OPTIONS.conf.default) return { config: undefined };
  }
  return loadConfig(options.conf, context);
}

/**
 * Finds the server that runs on a storage folder.
 *
 * @throws {ProvisionError} (rejects) when it accepts no requests
 */
async function findRunning(storage: string): Promise<RunningServer | undefined> {
  const client = new ControlClient(controlSocketOf(storage));
  try {
    const { node } = await client.request("status", {});
    const units = (node?.targets ?? []).flatMap(({ name, logicalUnits }) =>
      logicalUnits.map(({ lun, path, promisedBytes }) => ({
        target: name,
        lun,
        path,
        sizeBytes: promisedBytes,
      }))
    );
    return { client, units };
  } catch (error) {
    if (!(error instanceof ControlError)) throw error;
    const isAbsent = error.kind === "noServer" &&
      StorageLock.holder(stateFolderOf(storage), "serve") === undefined;
    if (isAbsent) return undefined;
    throw new ProvisionError(explainControlError(error, storage), { cause: error });
  }
}

/** The ends of a copy, with the server that may serve them. */
interface CopyEnds {
  readonly source: UnitEnd | FileEnd | StreamEnd;
  readonly destination: UnitEnd | FileEnd | StreamEnd;
  readonly server: RunningServer | undefined;
  readonly options: OptionValues;
}

type CopyPlan = Omit<CopyWork, "onProgress" | "signal" | "bytesPerSecond" | "label">;

/** @throws {ProvisionError} when the source cannot be copied to the destination */
function planCopy(ends: CopyEnds): CopyPlan {
  const { source: from, destination, server, options } = ends;
  if (from.kind !== "stream" && destination.kind !== "stream" && destination.path === from.path) {
    throw new ProvisionError(`Cannot copy "${from.path}" to itself; name another destination`);
  }
  const source = from.kind === "stream" ? inputSource(destination) : diskSource(from, server);
  return {
    source,
    isBesideServer: server !== undefined,
    destination: destinationOf(destination, source, server, options),
  };
}

/** @throws {ProvisionError} when standard input cannot be the source */
function inputSource({ kind }: CopyEnds["destination"]): StreamSource {
  if (kind === "stream") throw new ProvisionError('Cannot copy from "-" to "-"; name a LUN or a file');
  if (Deno.stdin.isTerminal()) {
    throw new ProvisionError(
      'Cannot read a disk from a terminal: pipe it from a program, such as "zstd -dc"',
    );
  }
  return { kind: "stream", read: (into) => Deno.stdin.read(into) };
}

/** @throws {ProvisionError} when a disk cannot be the source */
function diskSource(source: UnitEnd | FileEnd, server: RunningServer | undefined): DiskSource {
  const unit = server?.units.find(({ path }) => path === source.path);
  const isDevice = isInside(DEVICES_FOLDER, source.path);
  if (isDevice && unit === undefined) {
    throw new ProvisionError(
      `Cannot copy "${source.path}": it is a block device that no server serves; serve it, or use "dd"`,
    );
  }
  const sizeBytes = unit?.sizeBytes ?? (source.kind === "unit" ? source.sizeBytes : sizeOfImage(source.path));
  return { kind: "disk", path: source.path, sizeBytes, served: servedAt(source.path, server) };
}

/** Returns the LUN that a server serves from a path. */
function servedAt(path: string, server: RunningServer | undefined): ServedLun | undefined {
  const unit = server?.units.find((unit) => unit.path === path);
  if (server === undefined || unit === undefined) return undefined;
  return { client: server.client, unit: { target: unit.target, lun: unit.lun } };
}

function destinationOf(
  end: CopyEnds["destination"],
  source: CopyWork["source"],
  server: RunningServer | undefined,
  { force, json }: OptionValues,
): CopyWork["destination"] {
  if (end.kind === "stream") {
    if (json) throw new ProvisionError("Cannot print JSON: standard output gets the disk; leave out --json");
    if (Deno.stdout.isTerminal()) {
      throw new ProvisionError('Cannot write a disk to a terminal: pipe it to a program, such as "zstd"');
    }
    return { kind: "stream", write: (bytes) => Deno.stdout.write(bytes) };
  }
  if (end.kind === "unit") return unitDestination(end, source, server, force);
  const found = infoOf(end.path);
  if (found !== undefined && !found.isFile) {
    throw new ProvisionError(`Cannot copy to "${end.path}": it is not a file`);
  }
  if (found !== undefined && !force) {
    throw new ProvisionError(
      `Cannot copy to "${end.path}": it exists; remove it, or replace it with --force`,
    );
  }
  if (found !== undefined) lockForCopy(end.path, "destination").close();
  if (infoOf(dirname(end.path))?.isDirectory !== true) {
    throw new ProvisionError(
      `Cannot copy to "${end.path}": the folder "${dirname(end.path)}" does not exist`,
    );
  }
  const sizeBytes = source.kind === "disk" ? source.sizeBytes : null;
  return { kind: "file", path: end.path, sizeBytes, replaces: force, isUnit: false, mayBeLonger: true };
}

function unitDestination(
  { label, path, sizeBytes }: UnitEnd,
  source: CopyWork["source"],
  server: RunningServer | undefined,
  isForced: boolean,
): CopyWork["destination"] {
  if (isInside(DEVICES_FOLDER, path)) {
    throw new ProvisionError(
      `Cannot copy to ${label}: it is a block device; copy to "-" and pipe that to "dd"`,
    );
  }
  if (source.kind === "disk" && source.sizeBytes > sizeBytes) {
    throw new ProvisionError(
      `Cannot copy to ${label}: it has ${formatSize(sizeBytes)}, the source ${
        formatSize(source.sizeBytes)
      }; raise its size`,
    );
  }
  if (infoOf(path) === undefined) {
    throw new ProvisionError(`Cannot copy to ${label}: "${path}" does not exist; run "iscsi build"`);
  }
  const served = servedAt(path, server);
  if (served === undefined) lockForCopy(path, "destination").close();
  const file = { path: Deno.realPathSync(path), sizeBytes, replaces: true, isUnit: true };
  return { kind: "file", ...file, served, mayBeLonger: isForced };
}

function infoOf(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.statSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw new ProvisionError(`Cannot access "${path}": ${reasonOf(error)}`, { cause: error });
  }
}

/** Asks before the content of a LUN is replaced, unless it has none. */
async function confirmReplacement(
  destination: CopyEnds["destination"],
  { yes }: OptionValues,
  context: Context,
): Promise<ExitCode | undefined> {
  if (destination.kind !== "unit" || infoOf(destination.path)?.blocks === 0) return undefined;
  const question = `Replace all data of ${destination.label}?`;
  return await refuseUnlessConfirmed(context, { yes, question });
}

async function perform(
  plan: Omit<CopyWork, "onProgress" | "signal">,
  destination: CopyEnds["destination"],
  context: Context,
): Promise<ExitCode> {
  using interruption = new Interruption();
  const sizeBytes = plan.source.kind === "disk"
    ? plan.source.sizeBytes
    : destination.kind === "unit"
    ? destination.sizeBytes
    : null;
  using reporter = new CopyReporter({ sizeBytes, context });
  try {
    const { signal } = interruption;
    const onProgress = (copiedBytes: number): void => reporter.progress(copiedBytes);
    const result = await makeCopy({ ...plan, onProgress, signal });
    reporter.done(result, plan.label, destination.kind === "stream");
    return EXIT_CODES.done.code;
  } catch (error) {
    if (interruption.signal.aborted) {
      reporter.failed("Interrupted: nothing was kept");
      return EXIT_CODES.interrupted.code;
    }
    if (!(error instanceof Error)) throw error;
    const reason = error instanceof ProvisionError ? error.message : reasonOf(error);
    reporter.failed(`Cannot copy to "${plan.label}": ${reason}`);
    return EXIT_CODES.failed.code;
  }
}
