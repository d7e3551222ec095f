import type { InterfaceAddress } from "../access/interfaces.ts";
import type { Clock } from "../iscsi/clock.ts";
import type { DroppableRights } from "../server/held_rights.ts";
import type { JsonOutput } from "./json_output.ts";
import type { Terminal } from "./terminal.ts";
import type { TextWriter } from "./text_writer.ts";

export type { TextWriter };

/** The process that a command runs in. */
export interface Context {
  /** For results. */
  readonly stdout: TextWriter;
  /** For diagnostics. */
  readonly stderr: TextWriter;
  /** Asks the person at the terminal; undefined where there is none. */
  readonly confirm?: ((question: string) => Promise<boolean>) | undefined;
  /** Standard error is a terminal: long work shows its progress there. */
  readonly showsProgress?: boolean;
  /** Lines of the log have a time. */
  readonly stampsLog?: boolean;
  /** The output of a command with `--json`; undefined without. */
  readonly json?: JsonOutput | undefined;
  /** The terminal of standard output; undefined when that is not one. */
  readonly terminal?: Terminal | undefined;
  /** The clock of what is shown while a command waits; that of the system by default. */
  readonly clock?: Clock;
  /** Returns the addresses of this server; those of the system by default. */
  readonly interfaces?: () => readonly InterfaceAddress[];
  /** The rights of this process; undefined for all. */
  readonly rights?: DroppableRights;
  /** The version of this program. */
  readonly version: string;
}
