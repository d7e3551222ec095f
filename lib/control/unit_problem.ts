import type { NodeSnapshot } from "../iscsi/node/node_snapshot.ts";

/** A logical unit of the conf that is not served, as plain data. */
export interface UnitProblem {
  /** The target's name in the conf. */
  readonly target: string;
  readonly lun: number;
  readonly path: string;
  readonly sizeBytes: number;
  /** True if initiators see the unit, as not ready. A unit without an identity is not listed. */
  readonly isListed: boolean;
  /** The reason with its remedy, for people. */
  readonly reason: string;
}

/** The state of a node, and the logical units of its conf that are not served. */
export interface ServedSnapshot extends NodeSnapshot {
  readonly problems: readonly UnitProblem[];
}
