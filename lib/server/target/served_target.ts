import type { TargetConfig } from "../../config/config.ts";
import { type Target, TARGET_PORTAL_GROUP_TAG } from "../../iscsi/target.ts";
import { WorkUnderWay } from "../../iscsi/work_under_way.ts";
import { TargetDevice } from "../../scsi/target_device.ts";
import type { ServedUnit } from "./served_unit.ts";

/** A target with its logical units. It keeps its identity when the conf changes. */
export class ServedTarget implements Target {
  readonly device: TargetDevice;
  readonly work = new WorkUnderWay();
  /** The open units by logical unit number. */
  readonly units: Map<number, ServedUnit>;
  #config: TargetConfig;

  constructor(config: TargetConfig, units: ReadonlyMap<number, ServedUnit>) {
    const portalGroup = TARGET_PORTAL_GROUP_TAG.toString(16).padStart(4, "0");
    this.#config = config;
    this.units = new Map(units);
    this.device = new TargetDevice({
      name: config.iscsiName,
      portName: `${config.iscsiName},t,0x${portalGroup}`,
      relativePortIdentifier: TARGET_PORTAL_GROUP_TAG,
      logicalUnits: new Map([...units].map(([lun, { logicalUnit }]) => [lun, logicalUnit])),
    });
  }

  get config(): TargetConfig {
    return this.#config;
  }

  /** Applies a new conf to the target and its open units. */
  follow(config: TargetConfig, backingLinks: ReadonlyMap<string, string>): void {
    this.#config = config;
    for (const unit of this.units.values()) unit.follow(config, backingLinks);
  }
}
