import type { NetworkPaths } from "../access/target_portals.ts";
import type { ServedSnapshot } from "./unit_problem.ts";

/** The status of a running server. */
export interface ServerStatus {
  /** The version of the server's program. */
  readonly version: string;
  readonly pid: number;
  readonly uptimeSeconds: number;
  /** The time of the status by a monotonic clock; differences are durations. */
  readonly monotonicMs: number;
  readonly storage: string;
  /** The portals at which it listens, as `address:port`. */
  readonly portals: readonly string[];
  /** The workers of all ports. */
  readonly workers: readonly WorkerStatus[];
  /** Dangers of the conf that is served, as sentences. */
  readonly warnings: readonly string[];
  readonly paths: readonly TargetPaths[];
  readonly space: SpaceReport;
  readonly copies: readonly CopyStatus[];
  /** It accepts initiators: a worker listens at every portal that it can. */
  readonly ready: boolean;
  /** Null while no target worker runs, briefly after a crash. */
  readonly node: ServedSnapshot | null;
}

/** A copy of a LUN that is being made. */
export interface CopyStatus {
  readonly target: string;
  readonly lun: number;
  readonly destination: string;
  readonly sizeBytes: number;
  readonly copiedBytes: number;
  readonly seconds: number;
}

/** The state of the target worker of a port. */
export interface WorkerStatus {
  readonly port: number;
  /** `hanging`: it does not answer, usually because a disk blocks it; `failed`: it is not started again for now. */
  readonly state: "running" | "hanging" | "restarting" | "failed";
  /** Seconds since it began to hang; null in any other state. */
  readonly seconds: number | null;
  /** The reason, for people; null while it is running. */
  readonly reason: string | null;
  /** The portals at which it cannot listen, with the reasons, as sentences. */
  readonly faults: readonly string[];
}

/** The portals that discovery reports for a target. */
export interface TargetPaths {
  /** The name of the target in the conf. */
  readonly target: string;
  readonly networks: readonly NetworkPaths[];
}

/** The space that backing files take, and its growth, as plain data. */
export interface SpaceReport {
  readonly files: readonly FileSpace[];
  readonly fileSystems: readonly FileSystemSpace[];
}

/** The space of a backing file. */
export interface FileSpace {
  readonly path: string;
  /** Null for a block device, and for a file without access. */
  readonly allocatedBytes: number | null;
  /** Negative when the file shrinks; null while it is unknown. */
  readonly growthBytesPerDay: number | null;
}

/** The space of a file system with backing files. */
export interface FileSystemSpace {
  /** The storage folder if it is on this file system, else the first backing file that is. */
  readonly path: string;
  readonly totalBytes: number;
  /** The space available to users other than root. */
  readonly availableBytes: number;
  /** The growth of all backing files on it; null while that of one is unknown. */
  readonly growthBytesPerDay: number | null;
  /** Days until no space is available at this rate; null when unknown or never. */
  readonly fullInDays: number | null;
}
