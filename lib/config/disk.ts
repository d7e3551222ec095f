/** The options that describe the LUNs of a target as disks, and the rules that they follow together. */
import type { DiskConfig, LogicalUnitConfig } from "./config.ts";
import { type Diagnostics, quote } from "./diagnostics.ts";
import { SERIAL_NUMBER_LENGTH_MAX } from "./option_values.ts";
import { defaultOf, type GivenOptions } from "./read_options.ts";

/** The default physical block size, unless a logical block is larger. */
const PHYSICAL_BLOCK_SIZE_BYTES = 4096;

/** The part of a section that is checked here. */
interface Draft {
  /** The section, as messages call it. */
  readonly label: string;
  readonly given: GivenOptions;
  readonly logicalUnits: readonly LogicalUnitConfig[];
}

/** The marks by which initiators know a disk again, wherever it is. */
interface Marks {
  readonly naa: string;
  readonly serialNumber: string;
}

/** Returns the disk that options describe, with every default filled in. */
export function diskOf(values: GivenOptions["values"]): DiskConfig {
  const blockSizeBytes = values.blocksize ?? defaultOf("blocksize");
  return {
    blockSizeBytes,
    physicalBlockSizeBytes: values.physicalblocksize ?? Math.max(PHYSICAL_BLOCK_SIZE_BYTES, blockSizeBytes),
    removable: values.removable ?? defaultOf("removable"),
    writeCache: values.writecache ?? defaultOf("writecache"),
    vendor: values.vendor,
    product: values.product,
    revision: values.revision,
    serialNumber: values.serial,
  };
}

/** Returns the serial number of a LUN; undefined when the conf sets none. */
export function serialNumberOf({ serialNumber }: DiskConfig, lun: number): string | undefined {
  return serialNumber === undefined || lun === 0 ? serialNumber : `${serialNumber}_${lun}`;
}

/** Returns the identity of a LUN as initiators see it: the conf's, and the recorded one where the conf sets none. */
export function identityOf(disk: DiskConfig, { number, naa }: LogicalUnitConfig, recorded: Marks): Marks {
  return { naa: naa ?? recorded.naa, serialNumber: serialNumberOf(disk, number) ?? recorded.serialNumber };
}

/** Reports options of a target that contradict each other. */
export function reportDisk(
  { given: { values, lines }, logicalUnits }: Draft,
  diagnostics: Diagnostics,
): void {
  const disk = diskOf(values);
  const { blockSizeBytes, physicalBlockSizeBytes } = disk;
  if (physicalBlockSizeBytes < blockSizeBytes) {
    const problem = `blocksize is ${blockSizeBytes}; write at least ${blockSizeBytes}`;
    diagnostics.error(
      lines.get("physicalblocksize")!,
      `Cannot use physicalblocksize ${physicalBlockSizeBytes}: ${problem}`,
    );
  }
  for (const { sizeBytes, line } of logicalUnits) {
    const rest = sizeBytes % blockSizeBytes;
    if (rest === 0) continue;
    const choices = [sizeBytes - rest, sizeBytes - rest + blockSizeBytes].filter((choice) => choice > 0);
    const problem = `it is not a whole number of ${blockSizeBytes}-byte blocks; write ${
      choices.join(" or ")
    }`;
    diagnostics.error(line, `Cannot use size of ${sizeBytes} bytes: ${problem}`);
  }
  const longest = serialNumberOf(disk, logicalUnits.at(-1)?.number ?? 0) ?? "";
  if (longest.length > SERIAL_NUMBER_LENGTH_MAX) {
    const problem = `that of the last LUN would be ${longest.length} characters long; shorten it`;
    diagnostics.error(lines.get("serial")!, `Cannot use serial ${quote(values.serial!)}: ${problem}`);
  }
}

/** Reports LUNs with one serial number or NAA identifier: an initiator would take them for paths to one disk. */
export function reportSharedIdentities(drafts: readonly Draft[], diagnostics: Diagnostics): void {
  const holders = new Map<string, string>();
  for (const { label, given: { values, lines }, logicalUnits } of drafts) {
    for (const { number, naa } of logicalUnits) {
      const serial = serialNumberOf(diskOf(values), number);
      const marks = [["serial", "serial number", serial], ["naa", "NAA identifier", naa]] as const;
      for (const [option, name, mark] of marks) {
        if (mark === undefined) continue;
        const line = lines.get(option)!;
        const holder = holders.get(`${option} ${mark}`);
        if (holder === undefined) {
          holders.set(`${option} ${mark}`, `LUN ${number} of ${label} (line ${line})`);
          continue;
        }
        const message = `Cannot use ${name} ${quote(mark)} for LUN ${number} of ${label}`;
        diagnostics.error(line, `${message}: ${holder} has it already; choose another ${option}`);
      }
    }
  }
}
