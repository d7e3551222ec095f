import type { Config, LogicalUnitConfig } from "../../config/config.ts";
import type { BlockDevice } from "../block_device.ts";
import { isUnrecorded } from "../examine/backing.ts";
import type { Problem } from "../examine/examine.ts";
import { identityKey } from "../identity/identity_key.ts";
import type { Survey } from "../survey.ts";

/** A writable logical unit on a block device. */
interface DeviceUnit {
  readonly unit: LogicalUnitConfig;
  readonly device: BlockDevice;
  /** No build has exported it yet. */
  readonly isNew: boolean;
}

/** Finds block devices that are exported for the first time, and have content. */
export function findDeviceContents(config: Config, survey: Survey): Problem[] {
  return devicesOf(config, survey).flatMap(({ unit: { path, line }, device: { content }, isNew }) => {
    if (!isNew || content === undefined) return [];
    return [{
      line,
      message: `Block device "${path}" has content (${content}): initiators can overwrite it`,
    }];
  });
}

/** Finds exported block devices of which this machine has made something, such as the volumes of an initiator. */
export function findHeldDevices(config: Config, survey: Survey): Problem[] {
  return devicesOf(config, survey).flatMap(({ unit: { path, line }, device: { holder }, isNew }) => {
    if (isNew || holder === undefined) return [];
    const message =
      `Block device "${path}" also holds ${holder} on this machine, and writes of both destroy the data: ` +
      'exclude the device there, as with "global_filter" of lvm.conf';
    return [{ line, message }];
  });
}

function devicesOf({ targets }: Config, { places, recorded, storage }: Survey): DeviceUnit[] {
  const units = targets.filter(({ readOnly }) => !readOnly).flatMap(({ logicalUnits }) => logicalUnits);
  return units.flatMap((unit) => {
    const entry = places.get(unit.path)?.entry;
    if (entry?.kind !== "blockDevice") return [];
    const record = recorded.kind === "recorded"
      ? recorded.identities.get(identityKey(storage, unit.path))
      : "unknown";
    return [{ unit, device: entry, isNew: isUnrecorded(record) }];
  });
}
