import type { ControlHandlers } from "../control/control_requests.ts";
import { ControlServer } from "../control/control_server.ts";
import type { EventLog } from "../iscsi/events/event_log.ts";
import { controlSocketOf } from "../provision/state_folder.ts";
import { errorMessage } from "../base/error_message.ts";

/** How long an answer may take that is on its way when the door moves. */
const FAREWELL_MS = 2_000;

/** Where the server takes requests: at the control socket of the storage folder that it serves. */
export class ControlEndpoint {
  readonly #handlers: ControlHandlers;
  readonly #log: EventLog;
  #server: ControlServer | undefined;
  #path: string | undefined;
  #closeFormer: () => void = () => {};

  constructor(handlers: ControlHandlers, log: EventLog) {
    this.#handlers = handlers;
    this.#log = log;
  }

  /**
   * Takes requests there from now on, and nowhere else once those are answered that are on their way. Where that cannot
   * be, everything else is served all the same.
   */
  async moveTo(storage: string): Promise<void> {
    const path = controlSocketOf(storage);
    if (path === this.#path) return;
    this.#path = path;
    this.#closeFormer();
    const former = this.#server;
    const timer = setTimeout(() => this.#closeFormer(), FAREWELL_MS);
    this.#closeFormer = () => {
      clearTimeout(timer);
      former?.[Symbol.dispose]();
      this.#closeFormer = () => {};
    };
    try {
      this.#server = await ControlServer.listen(path, this.#handlers);
    } catch (error) {
      this.#server = undefined;
      this.#path = undefined;
      const reason = errorMessage(error);
      this.#log.warning(`Cannot take requests at "${path}": ${reason}`);
    }
  }

  [Symbol.dispose](): void {
    this.#closeFormer();
    this.#server?.[Symbol.dispose]();
  }
}
