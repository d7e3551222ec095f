import type { NexusReservation } from "../../scsi/nexus.ts";
import type { TrafficFigures } from "../../scsi/counters/traffic.ts";
import type { NegotiatedParameters } from "../negotiation/negotiation.ts";
import type { ConnectionEnds } from "../byte_stream.ts";

/** A session. */
export interface SessionSnapshot {
  /** Target session identifying handle: its number. */
  readonly tsih: number;
  /** 12 hexadecimal digits. */
  readonly isid: string;
  readonly initiatorName: string;
  /** The iSCSI name of the target, and not its alias; null for a discovery session. */
  readonly targetName: string | null;
  /** Milliseconds since 1970. */
  readonly beganAtMs: number;
  readonly connections: readonly ConnectionSnapshot[];
  readonly reservations: readonly NexusReservation[];
  /** Null for a discovery session. */
  readonly traffic: TrafficFigures | null;
}

/** A connection of a session. */
export interface ConnectionSnapshot extends ConnectionEnds {
  /** Connection identifier. */
  readonly cid: number;
  readonly parameters: NegotiatedParameters;
}
