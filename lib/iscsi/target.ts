import type { TargetConfig } from "../config/config.ts";
import type { TargetDevice } from "../scsi/target_device.ts";
import type { WorkUnderWay } from "./work_under_way.ts";

/** A target: its configuration, its SCSI device and the work under way on its media. */
export interface Target {
  readonly config: TargetConfig;
  readonly device: TargetDevice;
  readonly work: WorkUnderWay;
}

/** The tag of the one portal group that a target has (RFC 7143, 4.1.1). */
export const TARGET_PORTAL_GROUP_TAG = 1;
