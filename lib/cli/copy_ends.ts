/** The source and the destination of a copy, as they are named on the command line. */
import { resolve } from "@std/path";
import type { Config, LogicalUnitConfig, TargetConfig } from "../config/config.ts";
import { findFileFormat, FORMAT_BYTES, unpackCommand } from "../provision/examine/file_format.ts";
import { OpenFile } from "../provision/copy/open_file.ts";
import { ProvisionError, reasonOf } from "../provision/provision_error.ts";

/** A LUN of the conf. */
export interface UnitEnd {
  readonly kind: "unit";
  /** `LUN 0 of [a]`. */
  readonly label: string;
  readonly target: string;
  readonly lun: number;
  readonly path: string;
  readonly sizeBytes: number;
}

/** A file that is no LUN of the conf. */
export interface FileEnd {
  readonly kind: "file";
  readonly path: string;
}

/** Standard output. */
export interface StreamEnd {
  readonly kind: "stream";
}

/** The name of standard output as a destination. */
const STREAM = "-";

/**
 * Returns the end of a copy that a text names. A text with a slash at its beginning, or after dots there, is a path.
 *
 * @param config undefined when there is no conf
 * @throws {ProvisionError} when it names nothing; the message is for the user
 */
export function findEnd(text: string, config: Config | undefined): UnitEnd | FileEnd | StreamEnd {
  if (text === STREAM) return { kind: "stream" };
  if (/^\.{0,2}\//.test(text)) return findByPath(resolve(text), config);
  const [, name, lun] = /^([^/]+)(?:\/(\d{1,5}))?$/.exec(text) ?? [];
  const target = config?.targets.find((target) => target.name === name);
  if (target !== undefined) return unitOf(target, lun === undefined ? undefined : Number(lun));
  const known = config?.targets.map((target) => target.name).join(", ") ?? "";
  throw new ProvisionError(
    `Cannot find "${text}": the conf has no such target${known === "" ? "" : `, only ${known}`}; ` +
      `for a file, write its path with a slash, such as ./${text}`,
  );
}

/** Returns the LUN that has its content in a file, or the file. */
function findByPath(path: string, config: Config | undefined): UnitEnd | FileEnd {
  for (const target of config?.targets ?? []) {
    const unit = target.logicalUnits.find((unit) => isSameFile(unit.path, path));
    if (unit !== undefined) return endOf(target, unit);
  }
  return { kind: "file", path };
}

function unitOf(target: TargetConfig, lun: number | undefined): UnitEnd {
  const { name, logicalUnits } = target;
  const units = lun === undefined ? logicalUnits : logicalUnits.filter(({ number }) => number === lun);
  const [unit] = units;
  const numbers = logicalUnits.map(({ number }) => `${name}/${number}`).join(", ");
  if (unit === undefined) throw new ProvisionError(`[${name}] has no LUN ${lun}, only ${numbers}`);
  if (units.length > 1) throw new ProvisionError(`[${name}] has several LUNs: name one of ${numbers}`);
  return endOf(target, unit);
}

function endOf({ name }: TargetConfig, { number, path, sizeBytes }: LogicalUnitConfig): UnitEnd {
  return { kind: "unit", label: `LUN ${number} of [${name}]`, target: name, lun: number, path, sizeBytes };
}

function isSameFile(a: string, b: string): boolean {
  if (a === b) return true;
  try {
    const [first, second] = [Deno.statSync(a), Deno.statSync(b)];
    return first.dev === second.dev && first.ino === second.ino;
  } catch {
    return false;
  }
}

/**
 * Returns the size of an image file with plain blocks.
 *
 * @throws {ProvisionError} when it cannot be read, or is in another format
 */
export function sizeOfImage(path: string): number {
  try {
    using file = new OpenFile(path);
    const { sizeBytes } = file;
    const end = (offset: number): Uint8Array => {
      const bytes = new Uint8Array(Math.min(FORMAT_BYTES, sizeBytes));
      file.read(offset, bytes);
      return bytes;
    };
    const format = findFileFormat(end(0), end(Math.max(0, sizeBytes - FORMAT_BYTES)));
    if (format === undefined) return sizeBytes;
    const { command, result } = unpackCommand(format, path);
    throw new ProvisionError(
      `Cannot copy "${path}": it is ${format.name}; run "${command}" and copy "${result}"`,
    );
  } catch (error) {
    if (error instanceof ProvisionError) throw error;
    throw new ProvisionError(`Cannot read "${path}": ${reasonOf(error)}`, { cause: error });
  }
}
