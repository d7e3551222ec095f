import type { Command } from "./command.ts";
import { type Option, optionFlags, type OptionName, OPTIONS } from "./options.ts";

/** Returns the completion of fish. */
export function fishCompletion(commands: readonly Command[]): string {
  return `# Fish completion of iscsi(8), made by "iscsi completion fish"

# Prints names of the conf and of the running server.
function __iscsi_names
    set -l line (commandline -opc)
    set -l place
    command -q $line[1]; or return
    for i in (seq 2 (count $line))
        switch $line[$i]
            case '--conf=*' '--storage=*'
                set -a place $line[$i]
            case ${[OPTIONS.conf, OPTIONS.storage].flatMap(optionFlags).join(" ")}
                set -l next (math $i + 1)
                set -q line[$next]; and set -a place $line[$i] $line[$next]
        end
    end
    $line[1] completion $argv $place 2>/dev/null
end

complete -c iscsi -f
${[...programLines(commands), ...commands.flatMap(commandLines)].join("\n")}
`;
}

function programLines(commands: readonly Command[]): string[] {
  const start = "__fish_use_subcommand";
  const names = commands.map(({ name }) => name).join(" ");
  return [
    ...commands.map(({ name, summary }) => line(start, `-a ${name} -d ${quote(summary)}`)),
    line(start, `-a help -d ${quote("print the help of a command")}`),
    optionLine(start, "help"),
    optionLine(start, "version"),
    line(seen("help"), `-a ${quote(names)}`),
  ];
}

function commandLines({ name, options, arguments: taken }: Command): string[] {
  const { words = [], completes } = taken ?? {};
  const isGiven = seen(words.join(" "));
  const places = words.length === 0 ? [seen(name)] : words.map((word) => `${seen(name)}; and ${seen(word)}`);
  return [
    ...[...options, "help" as const].map((option) => optionLine(seen(name), option)),
    ...(words.length === 0
      ? []
      : [line(`${seen(name)}; and not ${isGiven}`, `-a ${quote(words.join(" "))}`)]),
    ...(completes === undefined
      ? []
      : places.map((place) => line(place, `-a ${quote(`(__iscsi_names ${completes})`)}`))),
  ];
}

function seen(words: string): string {
  return `__fish_seen_subcommand_from ${words}`;
}

function line(condition: string, rest: string): string {
  return `complete -c iscsi -n ${quote(condition)} ${rest}`;
}

function optionLine(condition: string, name: OptionName): string {
  const option: Option = OPTIONS[name];
  return line(
    condition,
    [...shortWords(option), `-l ${option.flag}`, ...valueWords(option), `-d ${quote(option.summary)}`].join(
      " ",
    ),
  );
}

function shortWords({ short }: Option): string[] {
  return short === undefined ? [] : [`-s ${short}`];
}

function valueWords({ value, isValueOptional, choices }: Option): string[] {
  if (choices !== undefined) return [`-x -a ${quote(choices.join(" "))}`];
  if (value === undefined || isValueOptional === true) return [];
  if (value === "FILE") return ["-r -F"];
  return [value === "FOLDER" ? "-x -a '(__fish_complete_directories)'" : "-x"];
}

function quote(text: string): string {
  return `'${text.replaceAll(/[\\']/g, "\\$&")}'`;
}
