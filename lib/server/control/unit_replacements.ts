/**
 * Replacements of the file of a LUN that no initiator uses. The LUN is not ready and its file not open or locked here,
 * until the client has put another file in its place, or has disconnected.
 */
import { dirname } from "@std/path";
import type { EndReplacementRequest, RequestContext, UnitAddress } from "../../control/control_requests.ts";
import type { EventLog } from "../../iscsi/events/event_log.ts";
import { removeFormer } from "../../provision/copy/temporary_file.ts";
import type { Supervisor } from "../supervisor/supervisor.ts";
import { untilGone } from "./until_gone.ts";

/** The collaborators of the replacements. */
export interface UnitReplacementsOptions {
  readonly supervisor: Pick<Supervisor, "requests" | "serving" | "withhold" | "release">;
  readonly log: EventLog;
}

/** The replacements that are under way. */
export class UnitReplacements {
  readonly #options: UnitReplacementsOptions;
  /** Functions that end replacements, by their numbers. */
  readonly #ends = new Map<number, () => void>();
  #lastNumber = 0;

  constructor(options: UnitReplacementsOptions) {
    this.#options = options;
  }

  /**
   * Takes a LUN out of service until the client ends that or disconnects.
   *
   * @returns the reason for which the LUN is not ready then; null when it is
   * @throws {Error} (rejects) when that is not possible now; the LUN is served as before
   */
  async replace(unit: UnitAddress, { progress, signal }: RequestContext): Promise<string | null> {
    const { supervisor, log } = this.#options;
    const worker = supervisor.requests.supervisorOf(unit);
    const path = this.#pathOf(unit);
    const name = `LUN ${unit.lun} of [${unit.target}]`;
    const number = ++this.#lastNumber;
    const ended = Promise.withResolvers<void>();
    // Without a time limit: after one, it would be unknown whether the file is open.
    await worker.ask({ kind: "withdraw", ...unit }, null);
    try {
      await supervisor.withhold(
        path,
        `"${path}" is being replaced by a copy; it is opened when that has ended`,
      );
      log.info(`Replacing the content of ${name} by a copy; it is not ready meanwhile`);
      this.#ends.set(number, ended.resolve);
      progress(String(number));
      await untilGone(ended.promise, signal);
      log.info(`Replaced the content of ${name}`);
    } catch (error) {
      log.warning(
        `The content of ${name} was not replaced: ${error instanceof Error ? error.message : error}`,
      );
      throw error;
    } finally {
      this.#ends.delete(number);
      await worker.ask({ kind: "readmit", ...unit }, null).catch(() => {});
      removeLeft(path);
      await supervisor.release(path);
    }
    return await this.#problemOf(unit);
  }

  /**
   * Ends a replacement.
   *
   * @throws {Error} (rejects) when it has ended already
   */
  end({ replacement }: EndReplacementRequest): Promise<null> {
    const end = this.#ends.get(replacement);
    if (end === undefined) return Promise.reject(new Error("the replacement has ended"));
    end();
    return Promise.resolve(null);
  }

  #pathOf({ target: name, lun }: UnitAddress): string {
    const { targets } = this.#options.supervisor.serving.config;
    return targets.find((target) => target.name === name)!
      .logicalUnits.find(({ number }) => number === lun)!.path;
  }

  async #problemOf({ target, lun }: UnitAddress): Promise<string | null> {
    const { problems } = await this.#options.supervisor.requests.snapshot();
    return problems.find((problem) => problem.target === target && problem.lun === lun)?.reason ?? null;
  }
}

/** Removes copies of commands that were killed, in the folder of a file. */
function removeLeft(path: string): void {
  try {
    removeFormer(dirname(Deno.realPathSync(path)));
  } catch {
    // The next copy into the folder tries again.
  }
}
