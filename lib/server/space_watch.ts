import type { Config } from "../config/config.ts";
import type { EventLog } from "../iscsi/events/event_log.ts";
import { growthFileOf } from "../provision/state_folder.ts";
import { DurableFile } from "../store/durable_file.ts";
import { NewerStateError } from "../store/state_text.ts";
import {
  addSample,
  formatHistory,
  parseHistory,
  SAMPLE_INTERVAL_MS,
  type SpaceSample,
} from "./growth_history.ts";
import { reportSpace, takeSample } from "./report_space.ts";
import { systemClock } from "./system_clock.ts";
import { untilSettled } from "./until_settled.ts";
import type { SpaceReport } from "../control/server_status.ts";
import { errorMessage } from "../base/error_message.ts";

/** How long the last sample may take to be kept when the server ends. */
const KEEP_MS = 1_000;

/** What a space watch is for. */
export interface SpaceWatchOptions {
  /** The conf of the moment. */
  readonly config: () => Config;
  readonly log: EventLog;
}

/** Knows what the backing files take, and remembers what they took. */
export class SpaceWatch {
  readonly #config: () => Config;
  readonly #log: EventLog;
  readonly #timer: ReturnType<typeof setInterval>;
  #history: readonly SpaceSample[];
  /** Resolves when the last sample is kept. */
  #kept: Promise<void>;

  /** Begins to take samples. */
  constructor({ config, log }: SpaceWatchOptions) {
    this.#config = config;
    this.#log = log;
    this.#history = readHistory(config(), log.warning.bind(log));
    this.#timer = setInterval(() => this.#kept = this.#sample(), SAMPLE_INTERVAL_MS);
    this.#kept = this.#sample();
  }

  /** Takes no more samples; resolves when the last one is kept, unless its disk hangs. */
  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    await untilSettled(this.#kept, KEEP_MS, systemClock);
  }

  /** How it is now. */
  report(): SpaceReport {
    return reportSpace(this.#config(), this.#history, Date.now());
  }

  async #sample(): Promise<void> {
    const sample = takeSample(this.#config(), Date.now());
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

/** What backing files take now, and how that compares with what a server has remembered, where none runs. */
export function recallSpace(config: Config): SpaceReport {
  return reportSpace(config, readHistory(config, () => {}), Date.now());
}

/** Where samples are kept; the conf may move it with the storage folder. */
function fileOf({ storage }: Config): DurableFile {
  return new DurableFile(growthFileOf(storage));
}

/** Treats a history that cannot be read, or is damaged, as empty: it never stops the server. */
function readHistory(config: Config, warn: (message: string) => void): readonly SpaceSample[] {
  try {
    const text = fileOf(config).read();
    return text === undefined ? [] : parseHistory(text);
  } catch (error) {
    const file = growthFileOf(config.storage);
    const reason = errorMessage(error);
    warn(`Cannot read how the LUNs have grown, in "${file}": ${reason}; growth is shown from now on`);
    return [];
  }
}

/** Such a file is left to the program that wrote it, which may be in use again. */
function isOfNewerVersion(file: DurableFile): boolean {
  try {
    parseHistory(file.read() ?? "");
    return false;
  } catch (error) {
    return error instanceof NewerStateError;
  }
}
