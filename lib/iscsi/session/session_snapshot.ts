import type { NexusReservation } from "../../scsi/nexus.ts";
import type { TrafficFigures } from "../../scsi/counters/traffic.ts";
import type { NegotiatedParameters } from "../negotiation/negotiation.ts";
import type { ConnectionEnds } from "../byte_stream.ts";

/** The state of a session, as plain data. */
export interface SessionSnapshot {
  /** Target session identifying handle. */
  readonly tsih: number;
  /** 12 hexadecimal digits. */
  readonly isid: string;
  readonly initiatorName: string;
  /** The iSCSI name of the target, not its alias. Null for a discovery session. */
  readonly targetName: string | null;
  /** Milliseconds since 1970. */
  readonly beganAtMs: number;
  readonly connections: readonly ConnectionSnapshot[];
  readonly reservations: readonly NexusReservation[];
  /** Null for a discovery session. */
  readonly traffic: TrafficFigures | null;
}

/** The state of a connection, as plain data. */
export interface ConnectionSnapshot extends ConnectionEnds {
  /** Connection identifier. */
  readonly cid: number;
  readonly parameters: NegotiatedParameters;
}
