import { ConsoleWriter } from "./lib/cli/console_writer.ts";
import { runCommandLine } from "./lib/cli/run_command_line.ts";
import { VERSION } from "./lib/cli/version.ts";

const context = {
  stdout: new ConsoleWriter(Deno.stdout),
  stderr: new ConsoleWriter(Deno.stderr),
  version: VERSION,
};
Deno.exit(await runCommandLine(Deno.args, context));
