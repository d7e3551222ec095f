import type { ServedSnapshot } from "./unit_problem.ts";
import { ControlError } from "./control_error.ts";
import type { ServerStatus, WorkerStatus } from "./server_status.ts";

/** The fields that every version of the program has had. */
type FirstFields = "version" | "pid" | "uptimeSeconds" | "storage" | "portals" | "node";

/** The status of a server of this version or an earlier one, which lacks later fields. */
export type EarlierStatus =
  & Pick<ServerStatus, FirstFields>
  & Partial<Omit<ServerStatus, "workers">>
  & { readonly workers?: readonly (Omit<WorkerStatus, "faults"> & Partial<WorkerStatus>)[] };

/** The values of later fields that mean: nothing is known. A server was ready before it answered. */
const UNKNOWN: Omit<ServerStatus, FirstFields> = {
  monotonicMs: 0,
  workers: [],
  warnings: [],
  paths: [],
  space: { files: [], fileSystems: [] },
  copies: [],
  ready: true,
};

/** The fields of a snapshot, without which no program of this version can show it. */
const SNAPSHOT: { readonly [Name in keyof ServedSnapshot]: true } = {
  sessions: true,
  targets: true,
  initiators: true,
  connectionsInLogin: true,
  limits: true,
  refusals: true,
  problems: true,
};

/**
 * Completes the status of a server that was started before the program was upgraded.
 *
 * @throws {ControlError} when it is too old for that
 */
export function completeStatus(status: EarlierStatus): ServerStatus {
  const { version, node, workers = [] } = status;
  if (node !== null && Object.keys(SNAPSHOT).some((name) => !(name in node))) {
    throw new ControlError(
      "broken",
      `The server runs an earlier version (${version}) and does not report what this program shows; ` +
        "restart the server after an upgrade",
    );
  }
  return { ...UNKNOWN, ...status, workers: workers.map((worker) => ({ faults: [], ...worker })) };
}
