import { STORAGE_FAULT_LABELS } from "../../control/storage_fault_labels.ts";
import type { Clock } from "../../iscsi/clock.ts";
import type { EventLog } from "../../iscsi/events/event_log.ts";
import {
  NO_STORAGE_FAULTS,
  type StorageFault,
  type StorageFaultFigures,
  type StorageFaultReport,
} from "../../scsi/medium/storage_faults.ts";
import type { StoreError } from "../../store/block_store.ts";

/** Milliseconds without a failure after which a series of failures is over. */
const QUIET_MS = 60_000;

/** Milliseconds between two reports to the owner of the unit. */
const REPORT_MS = 5_000;

/** Milliseconds between two log lines about a series of failures. */
const REMINDER_MS = 60 * 60_000;

interface Consequence {
  /** The effect on initiators. */
  readonly effect: string;
  readonly remedy: string;
}

const CHECK_DISK = "check the disk (dmesg)";

/** The supervisor, which punches the holes, logs refused ones with the reason. */
type LoggedFault = Exclude<StorageFault, "holeFailed">;

const CONSEQUENCES: Readonly<Record<LoggedFault, Consequence>> = {
  readFailed: { effect: "initiators get MEDIUM ERROR for such reads", remedy: CHECK_DISK },
  writeFailed: { effect: "initiators get MEDIUM ERROR for such writes", remedy: CHECK_DISK },
  flushFailed: {
    effect:
      "data that initiators wrote may be lost, and they get MEDIUM ERROR for every flush until the server " +
      "is restarted",
    remedy: `${CHECK_DISK}, then restart the server`,
  },
  outOfSpace: {
    effect: "initiators get SPACE ALLOCATION FAILED for writes that need space, all else goes on",
    remedy: "free space on its file system, or enlarge it",
  },
  reservationsFailed: {
    effect: "initiators get INSUFFICIENT REGISTRATION RESOURCES, and the reservations stay as they were",
    remedy: "free space on the file system of the storage folder, and check its disk",
  },
};

/** A series of failures of one kind. */
interface Run {
  /** Failures that are not logged yet. */
  unlogged: number;
  lastMs: number;
  loggedMs: number;
}

/** The collaborators of `UnitFaults`. */
export interface UnitFaultsOptions {
  readonly log: EventLog;
  readonly clock: Clock;
  readonly onFault?: (() => void) | undefined;
}

/**
 * Logs the storage failures of a logical unit: the first of each kind at once, further ones as a count, until none has
 * occurred for a while.
 */
export class UnitFaults implements StorageFaultReport {
  readonly #name: string;
  readonly #log: EventLog;
  readonly #clock: Clock;
  readonly #runs = new Map<LoggedFault, Run>();
  #figures = NO_STORAGE_FAULTS;
  #cancel: (() => void) | undefined;
  #isEnded = false;
  readonly #onFault: () => void;
  #reportedMs = -Infinity;

  /**
   * @param name the name of the logical unit in the log
   * @param options.onFault called at failures of the medium, every few seconds at most
   */
  constructor(name: string, options: UnitFaultsOptions) {
    this.#name = name;
    this.#log = options.log;
    this.#clock = options.clock;
    this.#onFault = options.onFault ?? (() => {});
  }

  /** Records a failure. After the unit is closed, failures are expected and ignored. */
  add(kind: StorageFault, { message: reason }: StoreError): void {
    if (this.#isEnded) return;
    const { counts } = this.#figures;
    const atMs = this.#clock.now();
    this.#figures = {
      counts: { ...counts, [kind]: (counts[kind] ?? 0) + 1 },
      last: { kind, reason, atMs },
    };
    if (kind === "holeFailed") return;
    this.#logOrCount(kind, reason);
    const nowMs = this.#clock.monotonicMs();
    if (kind === "reservationsFailed" || nowMs - this.#reportedMs < REPORT_MS) return;
    this.#reportedMs = nowMs;
    this.#onFault();
  }

  #logOrCount(kind: LoggedFault, reason: string): void {
    const nowMs = this.#clock.monotonicMs();
    const run = this.#runs.get(kind);
    if (run === undefined) {
      const { effect, remedy } = CONSEQUENCES[kind];
      this.#log.error(`${this.#name}: ${reason}; ${effect}; ${remedy}`, { event: "storageFault" });
      this.#runs.set(kind, { unlogged: 0, lastMs: nowMs, loggedMs: nowMs });
      this.#cancel ??= this.#clock.after(QUIET_MS, () => this.#check());
    } else {
      run.unlogged++;
      run.lastMs = nowMs;
    }
  }

  figures(): StorageFaultFigures {
    return this.#figures;
  }

  /** Logs the remaining counts, because the unit is closed. */
  end(): void {
    this.#isEnded = true;
    this.#cancel?.();
    this.#cancel = undefined;
    for (const [kind, run] of this.#runs) this.#logCount(kind, run);
    this.#runs.clear();
  }

  #check(): void {
    this.#cancel = undefined;
    const nowMs = this.#clock.monotonicMs();
    for (const [kind, run] of this.#runs) {
      const isOver = nowMs - run.lastMs >= QUIET_MS;
      if (isOver || nowMs - run.loggedMs >= REMINDER_MS) {
        this.#logCount(kind, run, isOver ? ", none in the last minute" : "");
      }
      if (isOver) this.#runs.delete(kind);
    }
    if (this.#runs.size > 0) this.#cancel = this.#clock.after(QUIET_MS, () => this.#check());
  }

  #logCount(kind: LoggedFault, run: Run, state = ""): void {
    run.loggedMs = this.#clock.monotonicMs();
    if (run.unlogged === 0) return;
    const details = { event: "storageFault" } as const;
    this.#log.warning(`${this.#name}: ${STORAGE_FAULT_LABELS[kind]}: ${run.unlogged} more${state}`, details);
    run.unlogged = 0;
  }
}
