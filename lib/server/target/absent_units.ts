import type { Config } from "../../config/config.ts";
import type { UnitProblem } from "../../control/unit_problem.ts";
import type { Clock } from "../../iscsi/clock.ts";
import type { EventLog } from "../../iscsi/events/event_log.ts";
import { nameOf, ProblemLog } from "../problem_log.ts";
import type { ServedTarget } from "./served_target.ts";
import type { ServedUnit } from "./served_unit.ts";
import type { BackingOptions } from "./unit_backing.ts";

/** Milliseconds between two attempts to open a logical unit that is not ready. */
const RETRY_MS = 5_000;

/** The conf with the targets that are served. */
export interface ServedState {
  readonly config: Config;
  /** Targets by the names of the conf. */
  readonly targets: ReadonlyMap<string, ServedTarget>;
  readonly options: BackingOptions;
}

/** A logical unit number of a target. */
interface Place {
  readonly target: ServedTarget;
  readonly lun: number;
}

/** Retries the logical units of a conf that are not served, and logs the changes. */
export class AbsentUnits {
  readonly #clock: Clock;
  readonly #problemLog: ProblemLog;
  readonly #state: () => ServedState;
  /** Units whose files are being checked. */
  readonly #probed = new Set<ServedUnit>();
  #cancel: (() => void) | undefined;
  #retryingSoon: Promise<void> | undefined;
  #isEnded = false;

  constructor(options: { readonly log: EventLog; readonly clock: Clock; readonly state: () => ServedState }) {
    this.#clock = options.clock;
    this.#problemLog = new ProblemLog(options.log);
    this.#state = options.state;
  }

  /** Retries all units now, and then every few seconds. */
  retry(): void {
    const { targets, options } = this.#state();
    for (const { config, units } of targets.values()) {
      for (const unit of config.logicalUnits) units.get(unit.number)?.retry(unit, options);
    }
    this.#log();
    this.#retryLater();
  }

  /** Retries all units after the changes of this moment, once for all requests. */
  retrySoon(): void {
    this.#retryingSoon ??= Promise.resolve().then(() => {
      this.#retryingSoon = undefined;
      if (!this.#isEnded) this.retry();
    });
  }

  /** Stops all retries. */
  end(): void {
    this.#isEnded = true;
    this.#cancel?.();
  }

  /** Returns the logical units that are not served, with the reasons. */
  problems(): UnitProblem[] {
    const { config, targets, options: { unavailable } } = this.#state();
    return config.targets.flatMap(({ name: target, logicalUnits }) =>
      logicalUnits.flatMap(({ number: lun, path, sizeBytes }) => {
        const unit = targets.get(target)?.units.get(lun);
        const isListed = unit !== undefined;
        const reason = isListed ? unit.problem : unavailable?.get(path);
        return reason === undefined ? [] : [{ target, lun, path, sizeBytes, isListed, reason }];
      })
    );
  }

  #log(): void {
    const { config, targets } = this.#state();
    const units = config.targets.flatMap(({ name, logicalUnits }) =>
      logicalUnits.map(({ number }) =>
        [nameOf(name, number), targets.get(name)?.units.has(number) === true] as const
      )
    );
    this.#problemLog.update(this.problems(), new Map(units));
  }

  #retryLater(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    const places = this.#places();
    if (places.length === 0 || this.#isEnded) return;
    this.#cancel = this.#clock.after(RETRY_MS, () => {
      for (const place of places) this.#retryUnit(place);
      this.#retryLater();
    });
  }

  /** Returns the units to retry. The supervisor retries those that it found unavailable. */
  #places(): Place[] {
    const { targets, options: { unavailable } } = this.#state();
    return [...targets.values()].flatMap((target) =>
      target.config.logicalUnits.filter(({ number, path }) =>
        target.units.get(number)?.problem !== undefined && unavailable?.has(path) !== true
      ).map(({ number }) => ({ target, lun: number }))
    );
  }

  /** Checks the file off the event loop before it is opened, so that a hanging disk blocks nothing else. */
  async #retryUnit({ target, lun }: Place): Promise<void> {
    const served = target.units.get(lun);
    if (served === undefined || this.#probed.has(served)) return;
    this.#probed.add(served);
    const { path } = served;
    await Deno.stat(this.#state().options.backingLinks.get(path) ?? path).catch(() => {});
    this.#probed.delete(served);
    const unit = target.config.logicalUnits.find(({ number }) => number === lun);
    if (this.#isEnded || unit === undefined || target.units.get(lun) !== served) return;
    served.retry(unit, this.#state().options);
    // Not all of them, because each of many units is retried.
    this.#problemLog.updateUnit({ target: target.config.name, lun, isListed: true }, served.problem);
  }
}
