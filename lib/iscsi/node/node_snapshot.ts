/**
 * The state of a node as plain data, for status displays and metrics. It can be posted from one worker to another.
 */
import type { Config } from "../../config/config.ts";
import type { Identity } from "../../scsi/identity.ts";
import type { LogicalUnit } from "../../scsi/logical_unit.ts";
import type { TrimFigures } from "../../scsi/medium/trimmer.ts";
import type { SpaceFigures } from "../../scsi/pages/provisioning.ts";
import { NO_STORAGE_FAULTS, type StorageFaultFigures } from "../../scsi/medium/storage_faults.ts";
import type { TrafficFigures } from "../../scsi/counters/traffic.ts";
import type { RefusalFigures } from "./refusals.ts";
import type { Target } from "../target.ts";
import type { SessionSnapshot } from "../session/session_snapshot.ts";

/** The state of a node. */
export interface NodeSnapshot {
  /** All sessions, discovery sessions included, in the order in which they began. */
  readonly sessions: readonly SessionSnapshot[];
  /** All targets, in the order of the conf. */
  readonly targets: readonly TargetSnapshot[];
  readonly initiators: readonly InitiatorSnapshot[];
  readonly connectionsInLogin: number;
  /** The limits of sessions and connections. */
  readonly limits: Pick<Config, "sessions" | "connections">;
  readonly refusals: RefusalFigures;
}

/** The traffic of an initiator at a target, over all its sessions. */
export interface InitiatorSnapshot {
  readonly initiatorName: string;
  /** The iSCSI name of the target, not its alias. */
  readonly targetName: string;
  /** The number of current sessions. */
  readonly sessions: number;
  readonly traffic: TrafficFigures;
}

/** The state of a target. */
export interface TargetSnapshot {
  /** The name of its section in the conf. */
  readonly name: string;
  readonly iscsiName: string;
  readonly comment: string;
  readonly logicalUnits: readonly LogicalUnitSnapshot[];
}

/** The state of a logical unit. */
export interface LogicalUnitSnapshot {
  readonly lun: number;
  readonly path: string;
  readonly identity: Identity;
  /** The size that initiators see. */
  readonly promisedBytes: number;
  readonly blockSizeBytes: number;
  readonly writeProtected: boolean;
  /** True when the LUN is not served, because its files could not be opened. */
  readonly isAbsent: boolean;
  /** Null when the space has not been measured. */
  readonly space: SpaceFigures | null;
  /** The traffic of all initiators since the LUN was opened. */
  readonly traffic: TrafficFigures;
  readonly faults: StorageFaultFigures;
  /** The progress of a trim; null when none runs. */
  readonly trim: TrimFigures | null;
}

/** Returns the state of a target. */
export function snapshotTarget({ config, device }: Target): TargetSnapshot {
  const { name, iscsiName, comment, logicalUnits } = config;
  return {
    name,
    iscsiName,
    comment,
    logicalUnits: logicalUnits.flatMap(({ number, path }) => {
      const unit = device.logicalUnits.get(number);
      return unit === undefined ? [] : [snapshotLogicalUnit(number, path, unit)];
    }),
  };
}

function snapshotLogicalUnit(lun: number, path: string, unit: LogicalUnit): LogicalUnitSnapshot {
  const { identity, capacityBlocks, blockSizeBytes, writeProtected, isAbsent, space } = unit;
  return {
    lun,
    path,
    identity,
    promisedBytes: capacityBlocks * blockSizeBytes,
    blockSizeBytes,
    writeProtected,
    isAbsent,
    space: space ?? null,
    traffic: unit.traffic().figures(),
    faults: unit.faults?.figures() ?? NO_STORAGE_FAULTS,
    trim: unit.trimmer.figures ?? null,
  };
}
