import { errorMessage } from "../../base/error_message.ts";
import type { Config } from "../../config/config.ts";
import type { EventLog } from "../../iscsi/events/event_log.ts";
import { describeDrift, describeDriftIn, findConfDrift, recordLiveConf } from "../../provision/live_conf.ts";
import { SerialQueue } from "../../base/serial_queue.ts";

/** The most differences that are logged. */
const DIFFERENCES_MAX = 20;

/**
 * Compares the conf of a server that starts with the one that another host has made live, and records what this server
 * makes live. It works beside the server, which neither waits for it nor fails with it.
 */
export class LiveConfService {
  readonly #log: EventLog;
  readonly #queue = new SerialQueue();
  #hasBegun = false;
  #drift: string | undefined;

  constructor(log: EventLog) {
    this.#log = log;
  }

  /** The difference of the conf that this server has started with, as a sentence. */
  get warnings(): readonly string[] {
    return this.#drift === undefined ? [] : [this.#drift];
  }

  /** Takes note of the conf that is served from now on. The first one is compared; a later one is meant. */
  async apply(config: Config): Promise<void> {
    const isFirst = !this.#hasBegun;
    this.#hasBegun = true;
    this.#drift = undefined;
    await this.#queue.run(async () => {
      try {
        if (isFirst) await this.#compare(config);
        await recordLiveConf(config);
      } catch (error) {
        this.#log.warning(
          `Cannot record the conf, so a different one on another host is not reported: ${
            errorMessage(error)
          }`,
        );
      }
    });
  }

  async #compare(config: Config): Promise<void> {
    const drift = await findConfDrift(config);
    if (drift === undefined) return;
    const { differences } = drift;
    const heading = describeDrift(drift);
    const number = differences.length;
    this.#drift = `${heading} (${number === 1 ? "1 difference" : `${number} differences`}; see the log)`;
    this.#log.warning(heading);
    for (const difference of differences.slice(0, DIFFERENCES_MAX)) {
      this.#log.warning(`Different conf: ${describeDriftIn(difference)}`);
    }
    if (number > DIFFERENCES_MAX) this.#log.warning(`Different conf: ${number - DIFFERENCES_MAX} more`);
  }
}
