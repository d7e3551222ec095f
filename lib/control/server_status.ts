import type { SpaceReport } from "./space_report.ts";
import type { ServedSnapshot } from "./unit_problem.ts";

/** What a running server says of itself. */
export interface ServerStatus {
  /** Of the program that serves. */
  readonly version: string;
  readonly pid: number;
  readonly uptimeSeconds: number;
  /** When this was so, by a clock that never goes back: what happened between two of them took their difference. */
  readonly monotonicMs: number;
  readonly storage: string;
  /** Where it listens, `address:port`. */
  readonly portals: readonly string[];
  readonly space: SpaceReport;
  /** Null while no target worker runs, which is for a moment after a crash. */
  readonly node: ServedSnapshot | null;
}
