import type { NodeSnapshot } from "../iscsi/node_snapshot.ts";

/** What a running server says of itself. */
export interface ServerStatus {
  /** Of the program that serves. */
  readonly version: string;
  readonly pid: number;
  readonly uptimeSeconds: number;
  readonly storage: string;
  /** Where it listens, `address:port`. */
  readonly portals: readonly string[];
  /** Null while no target worker runs, which is for a moment after a crash. */
  readonly node: NodeSnapshot | null;
}
