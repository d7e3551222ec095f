/**
 * How things stand with a node, as plain data: what is shown to people, and what metrics are made of. It can be posted
 * from one worker to another as it is.
 */
import type { Config } from "../../config/config.ts";
import type { Identity } from "../../scsi/identity.ts";
import type { LogicalUnit } from "../../scsi/logical_unit.ts";
import type { SpaceFigures } from "../../scsi/pages/provisioning.ts";
import { NO_STORAGE_FAULTS, type StorageFaultFigures } from "../../scsi/medium/storage_faults.ts";
import type { TrafficFigures } from "../../scsi/counters/traffic.ts";
import type { RefusalFigures } from "./refusals.ts";
import type { Target } from "../target.ts";
import type { SessionSnapshot } from "../session/session_snapshot.ts";

/** How things stand. */
export interface NodeSnapshot {
  /** In the order in which they began; discovery sessions, too. */
  readonly sessions: readonly SessionSnapshot[];
  /** In the order of the conf. */
  readonly targets: readonly TargetSnapshot[];
  readonly initiators: readonly InitiatorSnapshot[];
  readonly connectionsInLogin: number;
  /** Most sessions and connections there may be. */
  readonly limits: Pick<Config, "sessions" | "connections">;
  readonly refusals: RefusalFigures;
}

/** What an initiator has done at a target, in all its sessions, as plain data. */
export interface InitiatorSnapshot {
  readonly initiatorName: string;
  /** The iSCSI name of the target, and not its alias. */
  readonly targetName: string;
  /** How many there are now. */
  readonly sessions: number;
  readonly traffic: TrafficFigures;
}

/** A target. */
export interface TargetSnapshot {
  /** As in the conf. */
  readonly name: string;
  readonly iscsiName: string;
  readonly comment: string;
  readonly logicalUnits: readonly LogicalUnitSnapshot[];
}

/** A logical unit. */
export interface LogicalUnitSnapshot {
  readonly lun: number;
  readonly path: string;
  readonly identity: Identity;
  /** What initiators see. */
  readonly promisedBytes: number;
  readonly blockSizeBytes: number;
  readonly writeProtected: boolean;
  /** It is not served: its files could not be opened. */
  readonly isAbsent: boolean;
  /** Null where nobody has measured it. */
  readonly space: SpaceFigures | null;
  /** What all have done who ever used it, since it was opened. */
  readonly traffic: TrafficFigures;
  readonly faults: StorageFaultFigures;
}

/** How things stand with a target. */
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
  };
}
