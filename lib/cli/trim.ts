import { errorMessage } from "../base/error_message.ts";
import { formatSize, parseSize } from "../config/size.ts";
import { foldIscsiName } from "../config/iscsi_name.ts";
import { ControlError } from "../control/control_error.ts";
import type { TrimProgress, TrimReport, TrimRequest, UnitAddress } from "../control/control_requests.ts";
import { stateFolderOf } from "../provision/state_folder.ts";
import { StorageLock } from "../provision/storage_lock.ts";
import { systemClock } from "../server/system.ts";
import { UnservedUnits } from "../server/control/trim_unserved.ts";
import type { Context } from "./context.ts";
import { EXIT_CODES, type ExitCode } from "./exit_code.ts";
import { explainControlError, findServer, type ServerPlace } from "./find_server.ts";
import { Interruption, untilInterrupted } from "./interruption.ts";
import { loadConfig } from "./load_config.ts";
import { eventLog } from "./log_format.ts";
import type { OptionValues } from "./options.ts";
import { ProgressLine } from "./progress_line.ts";
import { printable } from "./show_text.ts";

/** The least rate: reads in progress must end within moments after Ctrl-C. */
const RATE_MIN = 1024 * 1024;

/** A LUN that may be trimmed. */
interface Unit extends UnitAddress {
  readonly iscsiName: string;
  readonly isWritable: boolean;
}

/** Trims a LUN; resolves to undefined when it was interrupted. */
type TrimUnit = (
  request: TrimRequest,
  options: { readonly progress: (figures: TrimProgress) => void; readonly signal: AbortSignal },
) => Promise<TrimReport | undefined>;

/**
 * `iscsi trim`: gives the space of blocks back that hold only zeros, by the running server or under its locks. With
 * `--json` it prints a line for each progress (`TrimProgress`), result (`TrimReport`) and error.
 */
export async function trim(
  context: Context,
  options: OptionValues,
  [place]: readonly string[],
): Promise<ExitCode> {
  const rate = readRate(options.rate, context);
  if (rate === undefined) return EXIT_CODES.wrongUsage.code;
  const server = findServer(options, context);
  if ("exitCode" in server) return server.exitCode;
  try {
    const { node } = await server.client.request("status", {});
    const units = (node?.targets ?? []).flatMap(({ name, iscsiName, logicalUnits }) =>
      logicalUnits.map(({ lun, writeProtected, isAbsent }): Unit => ({
        target: name,
        iscsiName,
        lun,
        isWritable: !writeProtected && !isAbsent,
      }))
    );
    // The end of this process disconnects, which ends the trim.
    const trimUnit: TrimUnit = (unit, { progress, signal }) =>
      untilInterrupted(
        signal,
        () => server.client.request("trim", unit, (message) => progress(JSON.parse(message))),
      );
    return await trimAll(units, place, { ...rate, trimUnit }, context);
  } catch (error) {
    if (!(error instanceof ControlError)) throw error;
    if (error.kind === "noServer" && !isServed(server)) {
      return await trimUnserved(context, options, place, rate);
    }
    context.stderr.write(`iscsi: ${explainControlError(error, server.storage)}\n`);
    return EXIT_CODES.failed.code;
  }
}

function isServed({ storage }: ServerPlace): boolean {
  return StorageLock.holder(stateFolderOf(storage), "serve") !== undefined;
}

async function trimUnserved(
  context: Context,
  options: OptionValues,
  place: string | undefined,
  rate: Pick<TrimRequest, "bytesPerSecond">,
): Promise<ExitCode> {
  const loaded = loadConfig(options.conf, context);
  if (loaded.config === undefined) return loaded.exitCode;
  const { config } = loaded;
  const units = config.targets.flatMap(({ name, iscsiName, readOnly, logicalUnits }) =>
    logicalUnits.map(({ number }): Unit => ({ target: name, iscsiName, lun: number, isWritable: !readOnly }))
  );
  try {
    await using unserved = await UnservedUnits.lock(config, {
      log: eventLog(context, options),
      clock: systemClock,
    });
    const trimUnit: TrimUnit = (unit, observer) =>
      unserved.trim(unit, observer).catch((error) => {
        if (observer.signal.aborted) return undefined;
        throw error;
      });
    return await trimAll(units, place, { ...rate, trimUnit }, context);
  } catch (error) {
    context.stderr.write(`iscsi: ${errorMessage(error)}\n`);
    return EXIT_CODES.failed.code;
  }
}

/** Reads the rate; reports a wrong one and returns undefined. */
function readRate(
  text: string | undefined,
  { stderr }: Context,
): Pick<TrimRequest, "bytesPerSecond"> | undefined {
  if (text === undefined) return { bytesPerSecond: null };
  const { sizeBytes, problem } = parseSize(text);
  if (sizeBytes !== undefined && sizeBytes >= RATE_MIN) return { bytesPerSecond: sizeBytes };
  stderr.write(`iscsi: Cannot use --rate "${printable(text)}": ${problem ?? "write at least 1MB"}\n`);
  return undefined;
}

/** Trims the LUNs that a place names, one after the other. */
async function trimAll(
  all: readonly Unit[],
  place: string | undefined,
  { bytesPerSecond, trimUnit }: Pick<TrimRequest, "bytesPerSecond"> & { readonly trimUnit: TrimUnit },
  context: Context,
): Promise<ExitCode> {
  const units = place === undefined ? all.filter(({ isWritable }) => isWritable) : unitsAt(all, place);
  if (units.length === 0) {
    const what = place === undefined ? "no LUN can be written" : `there is no "${printable(place)}"`;
    context.stderr.write(`iscsi: Nothing to trim: ${what}\n`);
    return EXIT_CODES.failed.code;
  }
  using interruption = new Interruption();
  const { signal } = interruption;
  let exitCode: ExitCode = EXIT_CODES.done.code;
  for (const { target, lun } of units) {
    const output = new TrimOutput({ target, lun }, context);
    const request = { target, lun, bytesPerSecond };
    try {
      const report = await trimUnit(request, { progress: (figures) => output.progress(figures), signal });
      if (report === undefined) {
        output.clear();
        context.stderr.write("iscsi: Interrupted; what was given back stays so\n");
        return EXIT_CODES.interrupted.code;
      }
      output.result(report);
    } catch (error) {
      output.error(errorMessage(error));
      exitCode = EXIT_CODES.failed.code;
    }
  }
  return exitCode;
}

/** Returns the LUNs of `TARGET` or `TARGET/LUN`. */
function unitsAt(units: readonly Unit[], place: string): readonly Unit[] {
  const [, name = place, lun] = /^(.*)\/(\d+)$/s.exec(place) ?? [];
  return units.filter((unit) =>
    (unit.target === name.toLowerCase() || unit.iscsiName === foldIscsiName(name)) &&
    (lun === undefined || unit.lun === Number(lun))
  );
}

/** Returns the space that was gained. Zeros that took none before do not count, nor what initiators wrote meanwhile. */
function gainOf({ allocatedBytesBefore, allocatedBytes, releasedBytes }: TrimReport): number {
  if (allocatedBytesBefore === null || allocatedBytes === null) return releasedBytes;
  return Math.max(allocatedBytesBefore - allocatedBytes, 0);
}

/** The output about one LUN: text, or lines of JSON. */
class TrimOutput {
  readonly #unit: UnitAddress;
  readonly #context: Context;
  readonly #line: ProgressLine;

  constructor(unit: UnitAddress, context: Context) {
    this.#unit = unit;
    this.#context = context;
    this.#line = new ProgressLine(context);
  }

  progress(figures: TrimProgress): void {
    const { sizeBytes, examinedBytes, releasedBytes } = figures;
    const share = Math.floor(examinedBytes / sizeBytes * 100);
    if (this.#context.json !== undefined) return this.#write("progress", figures);
    this.#line.show(`${this.#label}: ${share} %, zeros in ${formatSize(releasedBytes)}`);
  }

  result(report: TrimReport): void {
    this.clear();
    const { busyBytes, allocatedBytes, sizeBytes } = report;
    if (this.#context.json !== undefined) return this.#write("result", report);
    const now = allocatedBytes === null
      ? ""
      : `; takes ${formatSize(allocatedBytes)} of ${formatSize(sizeBytes)}`;
    const busy = busyBytes === 0 ? "" : `; ${formatSize(busyBytes)} in use, left`;
    this.#context.stdout.write(`${this.#label}: ${formatSize(gainOf(report))} given back${now}${busy}\n`);
  }

  error(message: string): void {
    this.clear();
    this.#write("error", { message });
    this.#context.stderr.write(`iscsi: Cannot trim ${this.#label}: ${message}\n`);
  }

  clear(): void {
    this.#line.clear();
  }

  get #label(): string {
    return `LUN ${this.#unit.lun} of [${this.#unit.target}]`;
  }

  #write(kind: "progress" | "result" | "error", fields: object): void {
    this.#context.json?.writeLine({ kind, ...this.#unit, ...fields });
  }
}
