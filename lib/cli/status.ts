import { ControlError } from "../control/control_error.ts";
import type { ServerStatus } from "../control/server_status.ts";
import { recallSpace } from "../server/space_watch.ts";
import type { Context } from "./context.ts";
import { EXIT_CODES, type ExitCode } from "./exit_code.ts";
import { explainControlError, findServer, type ServerPlace } from "./find_server.ts";
import { Interruption } from "./interruption.ts";
import { findOpenAccess } from "./open_access.ts";
import type { OptionValues } from "./options.ts";
import { Screen } from "./screen.ts";
import { reportDisk, reportServer, type StatusReport } from "./status_report.ts";
import { showStatus } from "./status_text.ts";
import { COLOURED_STYLE, PLAIN_STYLE } from "./terminal.ts";
import { waitUntilReady } from "./wait_until_ready.ts";
import { LINE_COLUMNS_MAX } from "./wrap_words.ts";
import { delay } from "../base/delay.ts";

/** The default interval of rates. */
const LOOK_MS = 1000;

const WATCH_SECONDS = 2;
const SECONDS_MAX = 24 * 60 * 60;

/** `iscsi status`: shows a running server, or the disk where none runs; with `--json` as a `StatusReport`. */
export async function status(context: Context, options: OptionValues): Promise<ExitCode> {
  const seconds = readSeconds(options.watch, { whenEmpty: WATCH_SECONDS, min: 0.1 });
  const waitSeconds = readSeconds(options.wait, { whenEmpty: Infinity, min: 0 });
  if (Number.isNaN(seconds) || Number.isNaN(waitSeconds)) {
    const [act, text, min] = Number.isNaN(seconds)
      ? ["watch every", options.watch, 0.1]
      : ["wait", options.wait, 0];
    context.stderr.write(
      `iscsi: Cannot ${act} "${text}" seconds: write a number from ${min} to ${SECONDS_MAX}\n`,
    );
    return EXIT_CODES.wrongUsage.code;
  }
  const place = findServer(options, context);
  if ("exitCode" in place) return place.exitCode;
  if (waitSeconds !== undefined) return await waitUntilReady(place, waitSeconds, context);
  const view = new StatusView(context, options, place);
  return seconds === undefined ? await view.once() : await view.watch(seconds);
}

/** Reads a number of seconds; NaN for an invalid one, undefined for an absent option. */
function readSeconds(
  text: string | undefined,
  { whenEmpty, min }: { readonly whenEmpty: number; readonly min: number },
): number | undefined {
  if (text === undefined) return undefined;
  if (text === "") return whenEmpty;
  const seconds = Number(text);
  return seconds >= min && seconds <= SECONDS_MAX ? seconds : NaN;
}

/** Queries a server and shows its status. */
class StatusView {
  readonly #context: Context;
  readonly #options: OptionValues;
  readonly #place: ServerPlace;

  constructor(context: Context, options: OptionValues, place: ServerPlace) {
    this.#context = context;
    this.#options = options;
    this.#place = place;
  }

  /** Shows the status once, with the rates of one second when there are sessions. */
  async once(): Promise<ExitCode> {
    try {
      const first = await this.#ask();
      if (first.node === null || first.node.sessions.length === 0) {
        this.#print(reportServer(undefined, first));
      } else {
        await delay(LOOK_MS);
        this.#print(reportServer(first, await this.#ask()));
      }
      return EXIT_CODES.done.code;
    } catch (error) {
      if (!(error instanceof ControlError)) throw error;
      const { config, storage } = this.#place;
      if (error.kind === "noServer" && config !== undefined) {
        const warnings = findOpenAccess(config, this.#context).map(({ message }) => message);
        this.#print(reportDisk(config, recallSpace(config), warnings));
      }
      this.#context.stderr.write(`iscsi: ${explainControlError(error, storage)}\n`);
      return EXIT_CODES.failed.code;
    }
  }

  /** Shows the status repeatedly until an interruption: in place on a terminal, else one below the other. */
  async watch(seconds: number): Promise<ExitCode> {
    const { stdout, terminal } = this.#context;
    using interruption = new Interruption();
    const { signal } = interruption;
    using screen = terminal === undefined || this.#options.json ? undefined : new Screen(stdout, terminal);
    let before: ServerStatus | undefined;
    while (!signal.aborted && stdout.failure === undefined) {
      const isFirst = before === undefined;
      try {
        const now = await this.#ask();
        this.#showNext(reportServer(before, now), seconds, screen);
        before = now;
      } catch (error) {
        if (!(error instanceof ControlError)) throw error;
        const message = explainControlError(error, this.#place.storage);
        if (screen === undefined) {
          this.#context.stderr.write(`iscsi: ${message}\n`);
          return EXIT_CODES.failed.code;
        }
        before = undefined;
        screen.show(({ columns }) => [this.#headline(seconds, columns), "", message.slice(0, columns)]);
      }
      // The first report has no rates; the second follows soon.
      await delay(Math.min(seconds * 1000, isFirst ? LOOK_MS : Infinity), signal);
    }
    return signal.aborted ? EXIT_CODES.interrupted.code : EXIT_CODES.done.code;
  }

  #ask(): Promise<ServerStatus> {
    return this.#place.client.request("status", {});
  }

  #showNext(report: StatusReport, seconds: number, screen: Screen | undefined): void {
    const { stdout } = this.#context;
    if (this.#options.json) stdout.write(`${JSON.stringify(report)}\n`);
    else if (screen === undefined) {
      stdout.write(`${new Date().toISOString()}\n${this.#text(report, LINE_COLUMNS_MAX)}\n`);
    } else {
      screen.show(({ columns, rows }) => {
        const head = [this.#headline(seconds, columns), ""];
        const lines = [...head, ...this.#lines(report, columns)];
        return lines.length <= rows ? lines : [...head, ...this.#lines(report, columns, { isBrief: true })];
      });
    }
  }

  #headline(seconds: number, columns: number): string {
    const time = new Date().toTimeString().slice(0, 8);
    const left = `iscsi status, every ${seconds} s: ${time}`;
    const right = "Ctrl-C stops it";
    return `${left.padEnd(Math.max(columns - right.length, left.length + 1))}${right}`.slice(0, columns);
  }

  #print(report: StatusReport): void {
    const { stdout, terminal } = this.#context;
    stdout.write(
      this.#options.json
        ? `${JSON.stringify(report, null, 2)}\n`
        : this.#text(report, terminal?.size().columns ?? LINE_COLUMNS_MAX),
    );
  }

  #text(report: StatusReport, columns: number): string {
    return this.#lines(report, columns).map((line) => `${line}\n`).join("");
  }

  #lines(report: StatusReport, columns: number, { isBrief = false } = {}): string[] {
    const style = this.#context.terminal?.hasColours === true ? COLOURED_STYLE : PLAIN_STYLE;
    return showStatus(report, { columns, isBrief, style, nowMs: Date.now() });
  }
}
