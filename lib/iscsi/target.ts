import type { TargetConfig } from "../config/config.ts";
import type { TargetDevice } from "../scsi/target_device.ts";

/** A target as its conf describes it, and the SCSI device behind it. */
export interface Target {
  readonly config: TargetConfig;
  readonly device: TargetDevice;
}

/** The tag of the one portal group that a target has (RFC 7143, 4.1.1). */
export const TARGET_PORTAL_GROUP_TAG = 1;
