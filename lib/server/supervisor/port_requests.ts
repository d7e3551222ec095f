import type { Config } from "../../config/config.ts";
import type { UnitAddress } from "../../control/control_requests.ts";
import type { ServedSnapshot } from "../../control/unit_problem.ts";
import type { UnitReservations } from "../../control/unit_reservations.ts";
import { mergeSnapshots } from "./merge_snapshots.ts";
import type { PortSupervisor } from "../port/port_supervisor.ts";
import type { WorkerRequest } from "../worker/worker_requests.ts";

/** The requests to the workers of a server, which is one server to those that ask. */
export class PortRequests {
  readonly #supervisors: () => readonly PortSupervisor[];
  readonly #config: () => Config;

  constructor(supervisors: () => readonly PortSupervisor[], config: () => Config) {
    this.#supervisors = supervisors;
    this.#config = config;
  }

  /**
   * Asks every worker, and returns the answers of those that answer.
   *
   * @throws {Error} (rejects) when none does; the message is for the user
   */
  async askAll<T>(ask: (supervisor: PortSupervisor) => Promise<T>): Promise<T[]> {
    const able = this.#supervisors().filter(({ isResponsive }) => isResponsive);
    if (able.length === 0) throw new Error("no target worker is running at the moment: try again");
    const results = await Promise.allSettled(able.map(ask));
    const answers = results.flatMap((result) => result.status === "fulfilled" ? [result.value] : []);
    const [first] = results;
    if (answers.length === 0 && first?.status === "rejected") throw first.reason;
    return answers;
  }

  /**
   * Returns the state of the node.
   *
   * @throws {Error} (rejects) when no worker answers
   */
  async snapshot(): Promise<ServedSnapshot> {
    const snapshots = await this.askAll(async (supervisor) => ({
      port: supervisor.serving.port,
      snapshot: await supervisor.ask({ kind: "snapshot" }),
    }));
    return mergeSnapshots(snapshots, this.#config());
  }

  /**
   * Ends sessions, and returns those that existed.
   *
   * @throws {Error} (rejects) when no worker answers
   */
  async disconnect(
    request: Omit<WorkerRequest & { kind: "disconnect" }, "kind">,
  ): Promise<readonly number[]> {
    return (await this.askAll((supervisor) => supervisor.ask({ kind: "disconnect", ...request }))).flat();
  }

  /**
   * Returns the reservations of all logical units.
   *
   * @throws {Error} (rejects) when no worker answers
   */
  async reservations(): Promise<readonly UnitReservations[]> {
    return (await this.askAll((supervisor) => supervisor.ask({ kind: "reservations" }))).flat();
  }

  /**
   * Clears the reservations of a logical unit.
   *
   * @throws {Error} (rejects) when the worker that serves it does not answer or cannot
   */
  async clearReservations(unit: UnitAddress): Promise<null> {
    return await this.supervisorOf(unit).ask({ kind: "clearReservations", ...unit });
  }

  /** Reports a login that has failed at a port to the workers of all others. */
  shareFailedLogin(port: number, peerAddress: string): void {
    for (const supervisor of this.#supervisors()) {
      if (supervisor.serving.port !== port) supervisor.countFailedLogin(peerAddress);
    }
  }

  /**
   * Returns the supervisor of the worker that serves a logical unit.
   *
   * @throws {Error} when there is none; the message is for the user
   */
  supervisorOf({ target: name, lun }: UnitAddress): PortSupervisor {
    const target = this.#config().targets.find((target) => target.name === name);
    const unit = target?.logicalUnits.find(({ number }) => number === lun);
    if (target === undefined || unit === undefined) throw new Error(`There is no LUN ${lun} of [${name}]`);
    const supervisor = this.#supervisors().find(({ serving: { port } }) => port === target.port);
    if (supervisor === undefined) {
      throw new Error(`port ${target.port} is not served at the moment: try again`);
    }
    return supervisor;
  }
}
