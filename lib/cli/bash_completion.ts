import type { Command } from "./command.ts";
import { type Option, optionFlags, type OptionName, OPTIONS } from "./options.ts";

const OPTION_ROWS: readonly Option[] = Object.values(OPTIONS);

/** The options that name a server. */
const PLACE_FLAGS = [OPTIONS.conf, OPTIONS.storage].flatMap(optionFlags);

/** The functions that the completion uses. */
const HELPERS = `# Removes the part before which bash cuts the word from what is proposed.
_iscsi_trim() {
    local breaks='' prefix=''
    [[ $COMP_WORDBREAKS == *:* ]] && breaks=:
    [[ $COMP_WORDBREAKS == *=* ]] && breaks+='='
    [[ -n $breaks && $word == *["$breaks"]* ]] && prefix=\${word%"\${word##*["$breaks"]}"}
    COMPREPLY=("\${COMPREPLY[@]#"$prefix"}")
}

# Prints names of the conf and of the running server.
_iscsi_names() {
    "$program" completion "$1" "\${place[@]}" 2>/dev/null
}

complete -F _iscsi iscsi
`;

/** Returns the completion of bash. */
export function bashCompletion(commands: readonly Command[]): string {
  const names = commands.map(({ name }) => name).join(" ");
  return `# Bash completion of iscsi(8), made by "iscsi completion bash"

_iscsi() {
    # Bash would cut the words at ":" and "=", which iSCSI names and options contain. This
    # read takes the backslash from escaped blanks.
    local -a line=() place=()
    # shellcheck disable=SC2162
    read -a line <<<"\${COMP_LINE:0:COMP_POINT}"
    [[ \${COMP_LINE:0:COMP_POINT} == *[[:space:]] ]] && line+=('')
    local word=\${line[\${#line[@]}-1]} program=\${line[0]} command='' arguments='' option='' words='' i

    for ((i = 1; i < \${#line[@]} - 1; i++)); do
        option=''
        case \${line[i]} in
            --conf=* | --storage=*) place+=("\${line[i]}") ;;
            ${flagsWith(isValueMandatory).join(" | ")})
                # The value is the word to complete, or is taken along.
                option=\${line[i]}
                ((i + 1 == \${#line[@]} - 1)) && break
                ((i++))
                case $option in ${PLACE_FLAGS.join(" | ")}) place+=("$option" "\${line[i]}") ;; esac
                option=''
                ;;
            ${flagsWith(({ isValueOptional }) => isValueOptional === true).join(" | ")})
                [[ \${line[i+1]} =~ ^[0-9]+$ ]] && ((i++))
                ;;
            -*) ;;
            *) if [[ -z $command ]]; then command=\${line[i]}; else arguments+=" \${line[i]}"; fi ;;
        esac
    done
    if [[ -z $option && $word == --*=* ]]; then
        option=\${word%%=*}
        word=\${word#*=}
    fi

    case $option in
        '') ;;
${optionCases()}
        *) return ;;
    esac
    if [[ -z $option ]]; then
        # Where a word is expected, options are proposed only after a "-".
        case "$command$arguments" in
            '') words='${names} help' ;;
            help) words='${names}' ;;
${commands.flatMap(argumentCase).join("\n")}
        esac
        if [[ -z $words || $word == -* ]]; then
            case $command in
                '') words='${flagsOf(["help", "version"])}' ;;
${commands.map(optionsCase).join("\n")}
            esac
        fi
    fi
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
    _iscsi_trim
}

${HELPERS}`;
}

function isValueMandatory({ value, isValueOptional }: Option): boolean {
  return value !== undefined && isValueOptional !== true;
}

function flagsWith(accepts: (option: Option) => boolean): string[] {
  return OPTION_ROWS.filter(accepts).flatMap(optionFlags);
}

function flagsOf(options: readonly OptionName[]): string {
  return options.map((name) => `--${OPTIONS[name].flag}`).join(" ");
}

/** Returns the cases of the options with choices, or with a file or folder as their value. */
function optionCases(): string {
  const choices = OPTION_ROWS.flatMap((option) =>
    option.choices === undefined
      ? []
      : [`        ${optionFlags(option).join(" | ")}) words='${option.choices.join(" ")}' ;;`]
  );
  const paths = (value: string, action: string): string[] => {
    const flags = flagsWith((option) => option.value === value);
    if (flags.length === 0) return [];
    return [
      `        ${flags.join(" | ")})`,
      "            compopt -o filenames 2>/dev/null",
      `            mapfile -t COMPREPLY < <(compgen ${action} -- "$word")`,
      "            _iscsi_trim",
      "            return",
      "            ;;",
    ];
  };
  return [...choices, ...paths("FILE", "-f"), ...paths("FOLDER", "-d")].join("\n");
}

function optionsCase({ name, options }: Command): string {
  return `                ${name}) words='${flagsOf([...options, "help"])}' ;;`;
}

function argumentCase({ name, arguments: taken }: Command): string[] {
  const { words = [], completes } = taken ?? {};
  const first = taken?.max === Infinity ? [name, `'${name} '*`] : [name];
  const before = words.length === 0 ? first : words.map((word) => `'${name} ${word}'`);
  return [
    ...(words.length === 0 ? [] : [`            ${name}) words='${words.join(" ")}' ;;`]),
    ...(completes === undefined
      ? []
      : [`            ${before.join(" | ")}) words=" $(_iscsi_names ${completes})" ;;`]),
  ];
}
