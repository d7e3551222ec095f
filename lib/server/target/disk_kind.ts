import type { DiskConfig, LogicalUnitConfig, TargetConfig } from "../../config/config.ts";
import { DEVICES_FOLDER } from "../../provision/block_device.ts";
import { isInside } from "../../provision/is_inside.ts";
import type { InquiryTexts, LogicalUnitOptions } from "../../scsi/logical_unit_options.ts";
import type { LateStoreOptions } from "../../store/late_store.ts";

type UnitKind = Omit<
  LogicalUnitOptions,
  "store" | "journal" | "identity" | "readOnly" | "reservationStore" | "isAbsent" | "faults"
>;

/** Returns the disk options of the conf as options of a logical unit. */
export function kindOf(disk: DiskConfig): UnitKind {
  const { blockSizeBytes, physicalBlockSizeBytes, removable, writeCache, vendor } = disk;
  return {
    blockSizeBytes,
    physicalBlockSizeBytes,
    removable,
    writeCache,
    ...(vendor !== undefined && { vendor }),
    ...textsOf(disk),
  };
}

/** Returns the texts of the INQUIRY data that the conf sets. */
export function textsOf({ product, revision }: DiskConfig): InquiryTexts {
  return { ...(product !== undefined && { product }), ...(revision !== undefined && { revision }) };
}

/** Returns the properties of a medium that is not open yet, for initiators. */
export function expectedOf(
  { readOnly, disk: { blockSizeBytes } }: TargetConfig,
  unit: LogicalUnitConfig,
  isSparse: boolean,
): LateStoreOptions {
  const isDevice = isInside(DEVICES_FOLDER, unit.path);
  // The size of a device that was never measured is 0.
  const sizeBytes = Math.max(unit.sizeBytes, blockSizeBytes);
  return { sizeBytes, readOnly, canUnmap: isSparse && !isDevice };
}
