import type { TargetConfig } from "../config/config.ts";
import type { TargetDevice } from "../scsi/target_device.ts";

/** A target as its conf describes it, and the SCSI device behind it. */
export interface Target {
  readonly config: TargetConfig;
  readonly device: TargetDevice;
}
