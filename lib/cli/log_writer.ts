import type { EventLog } from "../iscsi/events/event_log.ts";
import type { JsonOutput } from "./json_output.ts";
import type { TextWriter } from "./text_writer.ts";

/** Turns the messages of a server that does not start into events, so its whole log has one format. */
export class LogWriter implements TextWriter {
  readonly #log: EventLog;
  readonly #json: JsonOutput | undefined;

  /** @param json receives the messages, too */
  constructor(log: EventLog, json: JsonOutput | undefined) {
    this.#log = log;
    this.#json = json;
  }

  write(text: string): void {
    for (const line of text.split("\n").filter((line) => line !== "")) {
      const message = line.replace(/^iscsi: /, "");
      if (/^\S+:\d+: warning: /.test(message)) this.#log.warning(message);
      else this.#log.error(message);
      if (message !== line) this.#json?.addMessage(message);
    }
  }
}
