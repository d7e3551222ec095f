import type { ControlHandlers } from "../../control/control_requests.ts";
import { ControlServer } from "../../control/control_server.ts";
import type { Clock } from "../../iscsi/clock.ts";
import type { EventLog } from "../../iscsi/events/event_log.ts";
import { controlSocketOf } from "../../provision/state_folder.ts";
import { errorMessage } from "../../base/error_message.ts";

/** Milliseconds that pending answers may take when the endpoint moves. */
const PENDING_MS = 2_000;

/** The server's endpoint for control requests: the control socket of the storage folder that it serves. */
export class ControlEndpoint {
  readonly #handlers: ControlHandlers;
  readonly #log: EventLog;
  readonly #clock: Clock;
  #server: ControlServer | undefined;
  #path: string | undefined;
  #closeFormer: () => void = () => {};

  constructor(handlers: ControlHandlers, log: EventLog, clock: Clock) {
    this.#clock = clock;
    this.#handlers = handlers;
    this.#log = log;
  }

  /**
   * Accepts requests at the control socket of a storage folder, and closes the former socket when its pending requests
   * are answered. A failure is logged; it does not affect the targets.
   */
  async moveTo(storage: string): Promise<void> {
    const path = controlSocketOf(storage);
    if (path === this.#path) return;
    this.#path = path;
    this.#closeFormer();
    const former = this.#server;
    const cancel = this.#clock.after(PENDING_MS, () => this.#closeFormer());
    this.#closeFormer = () => {
      cancel();
      former?.[Symbol.dispose]();
      this.#closeFormer = () => {};
    };
    try {
      this.#server = await ControlServer.listen(path, this.#handlers);
    } catch (error) {
      this.#server = undefined;
      this.#path = undefined;
      const reason = errorMessage(error);
      this.#log.warning(`Cannot accept requests at "${path}": ${reason}`);
    }
  }

  [Symbol.dispose](): void {
    this.#closeFormer();
    this.#server?.[Symbol.dispose]();
  }
}
