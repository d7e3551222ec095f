import { ConsoleWriter } from "./lib/cli/console_writer.ts";
import { runCommandLine } from "./lib/cli/run_command_line.ts";
import { findConfirmation } from "./lib/cli/confirmation.ts";
import { needsTimestamps } from "./lib/cli/log_format.ts";
import { findTerminal } from "./lib/cli/terminal.ts";
import { ProcessRights } from "./lib/server/held_rights.ts";
import { VERSION } from "./lib/cli/version.ts";

const stderr = new ConsoleWriter(Deno.stderr, { isLog: true });
const context = {
  stdout: new ConsoleWriter(Deno.stdout),
  stderr,
  terminal: findTerminal(),
  confirm: findConfirmation(stderr),
  showsProgress: Deno.stderr.isTerminal(),
  stampsLog: needsTimestamps(),
  rights: new ProcessRights(),
  version: VERSION,
};
Deno.exit(await runCommandLine(Deno.args, context));
