import type { ConnectionEnds } from "./connection_ends.ts";

/** What the node looks like at a moment, as plain data: nothing in it changes or leads anywhere. */
export interface NodeSnapshot {
  readonly sessions: readonly SessionSnapshot[];
}

/** A session at a moment. */
export interface SessionSnapshot {
  /** Target session identifying handle: its number. */
  readonly tsih: number;
  /** 12 hexadecimal digits. */
  readonly isid: string;
  readonly initiatorName: string;
  /** The iSCSI name of the target, and not its alias; null for a discovery session. */
  readonly targetName: string | null;
  /** In milliseconds since 1970. */
  readonly beganAtMs: number;
  readonly connections: readonly ConnectionSnapshot[];
}

/** A connection of a session at a moment. */
export interface ConnectionSnapshot extends ConnectionEnds {
  /** Connection identifier. */
  readonly cid: number;
}
