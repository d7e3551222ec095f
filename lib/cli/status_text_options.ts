import type { RateHistory } from "./rate_history.ts";
import type { Style } from "./terminal.ts";

/** Options of the text of `iscsi status`. */
export interface StatusTextOptions {
  /** The width of a line. */
  readonly columns: number;
  /** One line for each session, without its parameters. */
  readonly isBrief?: boolean;
  readonly style: Style;
  /** The last minute, where a person watches. */
  readonly history?: RateHistory | undefined;
  /** The time now, in milliseconds since 1970. */
  readonly nowMs: number;
}
