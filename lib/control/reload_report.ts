import type { ReportedChange } from "./reported_change.ts";

/** How the server is asked to read its conf again. */
export interface ReloadRequest {
  /** Absolute path of the conf that is meant: the server's own, or it refuses. */
  readonly file: string;
  /** Even if every session ends. */
  readonly force: boolean;
  /** Only say what would change. */
  readonly dryRun: boolean;
}

/** What a server has made live, or would. */
export interface ReloadReport {
  readonly dryRun: boolean;
  readonly changes: readonly ReportedChange[];
  /** What of it is done only with force, and why; null when it takes none. */
  readonly obstacle: string | null;
}
