/** The options that say what kind of disk the LUNs of a target are, and how they go together. */
import type { DiskConfig, LogicalUnitConfig } from "./config.ts";
import { type Diagnostics, quote } from "./diagnostics.ts";
import { SERIAL_NUMBER_LENGTH_MAX } from "./option_values.ts";
import { defaultOf, type GivenOptions } from "./read_options.ts";

/** Physical block size by default, unless a logical block is larger. */
const PHYSICAL_BLOCK_SIZE_BYTES = 4096;

/** A section's options that matter here. */
interface Draft {
  /** The section in a message. */
  readonly label: string;
  readonly given: GivenOptions;
  readonly logicalUnits: readonly LogicalUnitConfig[];
}

/** The kind of disk that options say, with every default filled in. */
export function diskOf(values: GivenOptions["values"]): DiskConfig {
  const blockSizeBytes = values.blocksize ?? defaultOf("blocksize");
  return {
    blockSizeBytes,
    physicalBlockSizeBytes: values.physicalblocksize ?? Math.max(PHYSICAL_BLOCK_SIZE_BYTES, blockSizeBytes),
    removable: values.removable ?? defaultOf("removable"),
    vendor: values.vendor,
    product: values.product,
    revision: values.revision,
    serialNumber: values.serial,
  };
}

/** The serial number of a LUN that the conf gives one. */
export function serialNumberOf({ serialNumber }: DiskConfig, lun: number): string | undefined {
  return serialNumber === undefined || lun === 0 ? serialNumber : `${serialNumber}_${lun}`;
}

/** Reports options that do not go together within a target. */
export function reportDisk(
  { given: { values, lines }, logicalUnits }: Draft,
  diagnostics: Diagnostics,
): void {
  const disk = diskOf(values);
  const { blockSizeBytes, physicalBlockSizeBytes } = disk;
  if (physicalBlockSizeBytes < blockSizeBytes) {
    const message =
      `Cannot use physicalblocksize ${physicalBlockSizeBytes}: a block has ${blockSizeBytes} bytes`;
    diagnostics.error(lines.get("physicalblocksize")!, `${message}; write at least as many`);
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
    const problem = `the last LUN's would be ${longest.length} characters long; shorten it`;
    diagnostics.error(lines.get("serial")!, `Cannot use serial ${quote(values.serial!)}: ${problem}`);
  }
}

/** Reports LUNs that have one serial number: to an initiator with several paths they would be one disk. */
export function reportSharedSerials(drafts: readonly Draft[], diagnostics: Diagnostics): void {
  const holders = new Map<string, string>();
  for (const { label, given: { values, lines }, logicalUnits } of drafts) {
    for (const { number } of logicalUnits) {
      const serial = serialNumberOf(diskOf(values), number);
      if (serial === undefined) continue;
      const line = lines.get("serial")!;
      const holder = holders.get(serial);
      if (holder === undefined) {
        holders.set(serial, `LUN ${number} of ${label} (line ${line})`);
        continue;
      }
      const message = `Cannot use serial number ${quote(serial)} for LUN ${number} of ${label}`;
      diagnostics.error(line, `${message}: ${holder} has it already; choose another serial`);
    }
  }
}
