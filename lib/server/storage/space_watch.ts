import type { Config } from "../../config/config.ts";
import type { Clock } from "../../iscsi/clock.ts";
import type { EventLog } from "../../iscsi/events/event_log.ts";
import { growthFileOf } from "../../provision/state_folder.ts";
import { DurableFile } from "../../store/durable_file.ts";
import { NewerStateError } from "../../store/state_text.ts";
import {
  addSample,
  formatHistory,
  parseHistory,
  SAMPLE_INTERVAL_MS,
  type SpaceSample,
} from "./growth_history.ts";
import { SpaceGauge } from "./measure_space.ts";
import { placesOf, reportSpace, takeSample } from "./report_space.ts";
import { systemClock } from "../system.ts";
import { repeat } from "../timers.ts";
import { untilSettled } from "../until_settled.ts";
import type { SpaceReport } from "../../control/server_status.ts";
import { errorMessage } from "../../base/error_message.ts";

/** Milliseconds that the last sample may take to be stored when the server stops. */
const STORE_MS = 1_000;

/** The collaborators of a space watch. */
export interface SpaceWatchOptions {
  /** Returns the conf that is served now. */
  readonly config: () => Config;
  readonly gauge: SpaceGauge;
  readonly log: EventLog;
  readonly clock: Clock;
}

/** Samples the space that the backing files take, and stores the history of their growth. */
export class SpaceWatch {
  readonly #config: () => Config;
  readonly #gauge: SpaceGauge;
  readonly #log: EventLog;
  readonly #clock: Clock;
  readonly #cancel: () => void;
  #history: readonly SpaceSample[];
  /** Resolves when the last sample is stored. */
  #stored: Promise<void>;

  /** Starts to take samples. */
  constructor({ config, gauge, log, clock }: SpaceWatchOptions) {
    this.#gauge = gauge;
    this.#clock = clock;
    this.#config = config;
    this.#log = log;
    this.#history = readHistory(config(), log.warning.bind(log));
    this.#cancel = repeat(clock, SAMPLE_INTERVAL_MS, () => this.#stored = this.#sample());
    this.#stored = this.#sample();
  }

  /** Stops sampling. Resolves when the last sample is stored, or soon after when the disk hangs. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#cancel();
    await untilSettled(this.#stored, STORE_MS, this.#clock);
  }

  /** Returns the space that is used and free, and the growth of each backing file. */
  async report(): Promise<SpaceReport> {
    const config = this.#config();
    const measured = await this.#gauge.measure(placesOf(config));
    return reportSpace(config, measured, this.#history, this.#clock.now());
  }

  async #sample(): Promise<void> {
    const config = this.#config();
    const measured = await this.#gauge.measure(placesOf(config));
    const sample = takeSample(config, measured, this.#clock.now());
    const history = addSample(this.#history, sample);
    if (history.at(-1) !== sample) return;
    this.#history = history;
    const file = fileOf(this.#config());
    try {
      if (!isOfNewerVersion(file)) await file.replace(formatHistory(history));
    } catch (error) {
      this.#log.warning(errorMessage(error));
    }
  }
}

/** Returns the same report from the stored history, for a storage folder that no server serves. */
export async function recallSpace(config: Config): Promise<SpaceReport> {
  const measured = await new SpaceGauge(systemClock).measure(placesOf(config));
  return reportSpace(config, measured, readHistory(config, () => {}), Date.now());
}

/** Returns the file of the history, which moves with the storage folder of the conf. */
function fileOf({ storage }: Config): DurableFile {
  return new DurableFile(growthFileOf(storage));
}

/** Treats an unreadable history as empty; it never stops the server. */
function readHistory(config: Config, warn: (message: string) => void): readonly SpaceSample[] {
  try {
    const text = fileOf(config).read();
    return text === undefined ? [] : parseHistory(text);
  } catch (error) {
    const file = growthFileOf(config.storage);
    const reason = errorMessage(error);
    warn(`Cannot read the growth history "${file}": ${reason}; recording starts again now`);
    return [];
  }
}

/** Returns whether a newer program wrote the file. It is left unchanged, because that program may run again. */
function isOfNewerVersion(file: DurableFile): boolean {
  try {
    parseHistory(file.read() ?? "");
    return false;
  } catch (error) {
    return error instanceof NewerStateError;
  }
}
