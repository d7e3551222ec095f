import { withLimit } from "../control/with_limit.ts";
import { ControlError } from "../control/control_error.ts";
import type { ServerStatus } from "../control/server_status.ts";
import { recallSpace } from "../server/storage/space_watch.ts";
import type { Context } from "./context.ts";
import { EXIT_CODES, type ExitCode } from "./exit_code.ts";
import { explainControlError, findServer, type ServerPlace } from "./find_server.ts";
import { Interruption } from "./interruption.ts";
import { findOpenAccess } from "./open_access.ts";
import type { OptionValues } from "./options.ts";
import { RateHistory } from "./rate_history.ts";
import { Screen } from "./screen.ts";
import { formatProbe, probePortals, type ProbeReport } from "./probe_portals.ts";
import { selectTarget } from "./select_target.ts";
import { reportDisk, reportServer, type StatusReport } from "./status_report.ts";
import { showStatus } from "./status_text.ts";
import type { StatusTextOptions } from "./status_text_options.ts";
import { COLOURED_STYLE, PLAIN_STYLE } from "./terminal.ts";
import { waitUntilReady } from "./wait_until_ready.ts";
import { LINE_COLUMNS_MAX } from "./wrap_words.ts";
import { delay } from "../base/delay.ts";

/** The default interval of rates. */
const LOOK_MS = 1000;

/** The longest wait for a server that is probed. */
const ANSWER_MS = 3000;

const WATCH_SECONDS = 2;
const SECONDS_MAX = 24 * 60 * 60;

/** `iscsi status`: shows a running server, or the disk where none runs; with `--json` as a `StatusReport`. */
export async function status(
  context: Context,
  options: OptionValues,
  [target]: readonly string[] = [],
): Promise<ExitCode> {
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
  if (waitSeconds !== undefined) {
    const end = await waitUntilReady(place, { waitSeconds, target }, context);
    if (!options.probe || end !== EXIT_CODES.done.code) return end;
  }
  if (options.probe) return await probe(place, context);
  const view = new StatusView(context, place, target);
  return seconds === undefined ? await view.once() : await view.watch(seconds);
}

/** Begins a login at every portal, and prints which ones answer. */
async function probe({ client, storage }: ServerPlace, { stdout, stderr, json }: Context): Promise<ExitCode> {
  let report: ProbeReport;
  try {
    report = await probePortals(await withLimit(client.request("status", {}), ANSWER_MS, describeSilence));
  } catch (error) {
    if (!(error instanceof ControlError)) throw error;
    stderr.write(`iscsi: ${explainControlError(error, storage)}\n`);
    return EXIT_CODES.failed.code;
  }
  if (json !== undefined) json.setDocument(report);
  else stdout.write(report.portals.map((probe) => `${formatProbe(probe)}\n`).join(""));
  if (report.answers) return EXIT_CODES.done.code;
  const silent = report.portals.filter(({ answers }) => answers === false).map(formatProbe);
  stderr.write(`iscsi: Logins are not answered: ${[...report.problems, ...silent].join("; ")}\n`);
  return EXIT_CODES.failed.code;
}

function describeSilence(): ControlError {
  return new ControlError("broken", `The server has not answered within ${ANSWER_MS / 1000} s`);
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
  readonly #place: ServerPlace;
  readonly #target: string | undefined;

  /** @param target the name of the only target to show; all without it */
  constructor(context: Context, place: ServerPlace, target: string | undefined) {
    this.#context = context;
    this.#place = place;
    this.#target = target;
  }

  /** Shows the status once, with the rates of one second when there are sessions. */
  async once(): Promise<ExitCode> {
    try {
      const first = await this.#ask();
      if (first.node === null || first.node.sessions.length === 0) {
        return this.#print(reportServer(undefined, first));
      }
      await delay(LOOK_MS);
      return this.#print(reportServer(first, await this.#ask()));
    } catch (error) {
      if (!(error instanceof ControlError)) throw error;
      const { config, storage } = this.#place;
      if (error.kind === "noServer" && config !== undefined) {
        const warnings = findOpenAccess(config, this.#context).map(({ message }) => message);
        this.#print(reportDisk(config, await recallSpace(config), warnings));
      }
      this.#context.stderr.write(`iscsi: ${explainControlError(error, storage)}\n`);
      return EXIT_CODES.failed.code;
    }
  }

  /** Shows the status repeatedly until an interruption: in place on a terminal, else one below the other. */
  async watch(seconds: number): Promise<ExitCode> {
    const end = await this.#showUntilInterrupted(seconds);
    if (typeof end === "number") return end;
    this.#context.stderr.write(`iscsi: ${end.problem}\n`);
    return EXIT_CODES.failed.code;
  }

  /** Returns the exit code, or a problem to be reported when the screen has been left. */
  async #showUntilInterrupted(seconds: number): Promise<ExitCode | { readonly problem: string }> {
    const { stdout, terminal, json } = this.#context;
    const history = new RateHistory();
    using interruption = new Interruption();
    const { signal } = interruption;
    using screen = terminal === undefined || json !== undefined ? undefined : new Screen(stdout, terminal);
    let before: ServerStatus | undefined;
    while (!signal.aborted && stdout.failure === undefined) {
      const isFirst = before === undefined;
      try {
        const now = await this.#ask();
        const selected = this.#select(reportServer(before, now));
        if ("problem" in selected) return selected;
        const { report } = selected;
        history.add(report, Date.now());
        this.#showNext(report, { seconds, screen, history });
        before = now;
      } catch (error) {
        if (!(error instanceof ControlError)) throw error;
        const message = explainControlError(error, this.#place.storage);
        if (screen === undefined) return { problem: message };
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

  #showNext(
    report: StatusReport,
    { seconds, screen, history }: {
      readonly seconds: number;
      readonly screen: Screen | undefined;
      readonly history: RateHistory;
    },
  ): void {
    const { stdout, json } = this.#context;
    if (json !== undefined) json.writeLine(report);
    else if (screen === undefined) {
      stdout.write(`${new Date().toISOString()}\n${this.#text(report, LINE_COLUMNS_MAX)}\n`);
    } else {
      screen.show(({ columns, rows }) => {
        const head = [this.#headline(seconds, columns), ""];
        const lines = [...head, ...this.#lines(report, columns, { history })];
        if (lines.length <= rows) return lines;
        return [...head, ...this.#lines(report, columns, { history, isBrief: true })];
      });
    }
  }

  #headline(seconds: number, columns: number): string {
    const time = new Date().toTimeString().slice(0, 8);
    const left = `iscsi status, every ${seconds} s: ${time}`;
    const right = "Ctrl-C stops it";
    return `${left.padEnd(Math.max(columns - right.length, left.length + 1))}${right}`.slice(0, columns);
  }

  #print(whole: StatusReport): ExitCode {
    const { stdout, stderr, terminal, json } = this.#context;
    const selected = this.#select(whole);
    if ("problem" in selected) {
      stderr.write(`iscsi: ${selected.problem}\n`);
      return EXIT_CODES.failed.code;
    }
    const { report } = selected;
    if (json !== undefined) json.setDocument(report);
    else stdout.write(this.#text(report, terminal?.size().columns ?? LINE_COLUMNS_MAX));
    return EXIT_CODES.done.code;
  }

  /** Reduces a report to the target that was asked for. */
  #select(report: StatusReport): ReturnType<typeof selectTarget> {
    return this.#target === undefined ? { report } : selectTarget(report, this.#target);
  }

  #text(report: StatusReport, columns: number): string {
    return this.#lines(report, columns).map((line) => `${line}\n`).join("");
  }

  #lines(
    report: StatusReport,
    columns: number,
    options: Pick<StatusTextOptions, "isBrief" | "history"> = {},
  ): string[] {
    const style = this.#context.terminal?.hasColours === true ? COLOURED_STYLE : PLAIN_STYLE;
    return showStatus(report, { columns, style, nowMs: Date.now(), ...options });
  }
}
