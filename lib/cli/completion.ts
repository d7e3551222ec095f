import { ControlError } from "../control/control_error.ts";
import type { NodeSnapshot } from "../iscsi/node/node_snapshot.ts";
import { findForgettable } from "../provision/forget_plan.ts";
import { bashCompletion } from "./bash_completion.ts";
import type { Command, RunCommand } from "./command.ts";
import type { Shell } from "./completion_words.ts";
import type { Context } from "./context.ts";
import { EXIT_CODES, type ExitCode } from "./exit_code.ts";
import { findServer, type ServerPlace } from "./find_server.ts";
import { fishCompletion } from "./fish_completion.ts";
import type { OptionValues } from "./options.ts";
import { zshCompletion } from "./zsh_completion.ts";

/** The scripts, by shell. */
export const COMPLETIONS: Readonly<Record<Shell, (commands: readonly Command[]) => string>> = {
  bash: bashCompletion,
  fish: fishCompletion,
  zsh: zshCompletion,
};

/** `iscsi completion`: prints the script of a shell, or the names that the scripts propose. */
export function completion(commands: readonly Command[]): RunCommand {
  return function complete(context, options, [word = ""]): Promise<ExitCode> {
    if (!Object.hasOwn(COMPLETIONS, word)) return printNames(context, options, word);
    const script = COMPLETIONS[word as Shell](commands);
    if (context.json === undefined) context.stdout.write(script);
    else context.json.setDocument({ completion: script });
    return Promise.resolve(EXIT_CODES.done.code);
  };
}

/** Prints the names of targets, sessions or unused files, one a line. */
async function printNames(context: Context, options: OptionValues, kind: string): Promise<ExitCode> {
  const place = findServer(options, context);
  if ("exitCode" in place) return place.exitCode;
  const names = await findNames(place, kind);
  if (context.json === undefined) context.stdout.write(names.map((name) => `${name}\n`).join(""));
  else context.json.setDocument({ names });
  return EXIT_CODES.done.code;
}

async function findNames(place: ServerPlace, kind: string): Promise<readonly string[]> {
  const { config } = place;
  if (kind === "unused") return config === undefined ? [] : findForgettable(config);
  const node = await askServer(place);
  return kind === "targets" ? (node ?? config)?.targets.map(({ name }) => name) ?? [] : sessionNames(node);
}

/** Returns the state of the running server; null where it cannot be had. */
async function askServer({ client }: ServerPlace): Promise<NodeSnapshot | null> {
  try {
    return (await client.request("status", {})).node;
  } catch (error) {
    if (error instanceof ControlError) return null;
    throw error;
  }
}

/** Returns the numbers of sessions, and the names of the initiators and targets that have any. */
function sessionNames(node: NodeSnapshot | null): string[] {
  const { sessions, targets } = node ?? { sessions: [], targets: [] };
  const used = new Set(sessions.map(({ targetName }) => targetName));
  return [
    ...sessions.map(({ tsih }) => String(tsih)),
    ...new Set(sessions.map(({ initiatorName }) => initiatorName)),
    ...targets.filter(({ iscsiName }) => used.has(iscsiName)).map(({ name }) => name),
  ];
}
