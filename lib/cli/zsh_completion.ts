import type { Command } from "./command.ts";
import { type Option, optionFlags, type OptionName, OPTIONS } from "./options.ts";

/** Returns the completion of zsh, a file for a folder of its `fpath`. */
export function zshCompletion(commands: readonly Command[]): string {
  const names = commands.map(({ name }) => name).join(" ");
  return `#compdef iscsi
# Zsh completion of iscsi(8), made by "iscsi completion zsh"

_iscsi() {
    local curcontext=$curcontext program=$words[1] state line
    typeset -A opt_args
    local -a commands=(
${commands.map(({ name, summary }) => `        ${quote(`${name}:${summary}`)}`).join("\n")}
        'help:print the help of a command'
    )
    _arguments -C ${optionSpec("help")} ${optionSpec("version")} '1: :->command' '*:: :->argument'
    case $state in
        command) _describe command commands ;;
        argument)
            case $words[1] in
                help) _arguments '1:command:(${names})' ;;
${commands.map(commandCase).join("\n")}
            esac
            ;;
    esac
}

# Proposes names of the conf and of the running server. The kind is the last argument, after
# the options of compadd.
_iscsi_names() {
    local -a place names
    local option
    for option in ${[OPTIONS.conf, OPTIONS.storage].flatMap(optionFlags).join(" ")}; do
        (( \${+opt_args[$option]} )) && place+=("$option" "\${(Q)opt_args[$option]}")
    done
    names=("\${(@f)$(\${(Q)program} completion "\${@[-1]}" "\${place[@]}" 2>/dev/null)}")
    compadd "\${@[1,-2]}" -a names
}

_iscsi "$@"
`;
}

function commandCase({ name, options, arguments: taken }: Command): string {
  const specs = [
    ...[...options, "help" as const].map(optionSpec),
    ...argumentSpecs(taken),
  ];
  return [
    `                ${name})`,
    "                    _arguments \\",
    ...join(specs),
    "                    ;;",
  ]
    .join("\n");
}

/** Continues all lines but the last. */
function join(specs: readonly string[]): string[] {
  return specs.map((spec, index) =>
    `                        ${spec}${index < specs.length - 1 ? " \\" : ""}`
  );
}

function argumentSpecs(taken: Command["arguments"]): string[] {
  const { words = [], completes } = taken ?? {};
  const first = taken?.max === Infinity ? "*" : 1;
  const place = words.length === 0 ? first : 2;
  return [
    ...(words.length === 0 ? [] : [quote(`1:word:(${words.join(" ")})`)]),
    ...(completes === undefined ? [] : [quote(`${place}:name:_iscsi_names ${completes}`)]),
  ];
}

function optionSpec(name: OptionName): string {
  const option: Option = OPTIONS[name];
  const summary = option.summary.replaceAll(/[\\[\]:]/g, "\\$&");
  const colons = option.isValueOptional === true ? "::" : ":";
  const [equals, value] = option.value === undefined
    ? ["", ""]
    : ["=", `${colons}${option.value}:${valueAction(option)}`];
  const rest = `[${summary}]${value}`;
  const flag = `--${option.flag}${equals}`;
  if (option.short === undefined) return quote(`${flag}${rest}`);
  // One of the two excludes the other.
  return `${quote(`(${optionFlags(option).join(" ")})`)}{-${option.short},${flag}}${quote(rest)}`;
}

function valueAction({ value, choices }: Option): string {
  if (choices !== undefined) return `(${choices.join(" ")})`;
  if (value === "FILE") return "_files";
  return value === "FOLDER" ? "_files -/" : " ";
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
