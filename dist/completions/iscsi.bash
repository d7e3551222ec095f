# Bash completion of iscsi(8): copy it to /usr/share/bash-completion/completions/iscsi

_iscsi() {
    local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}
    local command='' arguments='' options='' conf=/etc/netmanager/iscsi.conf i
    COMPREPLY=()

    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
            --conf | --storage | --log | --log-level)
                local name=${COMP_WORDS[i]}
                # In --conf=FILE the "=" is a word of its own.
                [[ ${COMP_WORDS[i+1]} == = ]] && ((i++))
                ((i++))
                [[ $name == --conf ]] && conf=${COMP_WORDS[i]}
                ;;
            -*) ;;
            *)
                if [[ -z $command ]]; then
                    command=${COMP_WORDS[i]}
                else
                    arguments+=" ${COMP_WORDS[i]}"
                fi
                ;;
        esac
    done

    local option=$previous
    [[ $previous == = ]] && option=${COMP_WORDS[COMP_CWORD-2]}
    [[ $word == = ]] && word=''
    case $option in
        --log)
            mapfile -t COMPREPLY < <(compgen -W 'text journal json' -- "$word")
            return
            ;;
        --log-level)
            mapfile -t COMPREPLY < <(compgen -W 'error warning info debug' -- "$word")
            return
            ;;
        --conf | --storage)
            compopt -o filenames 2>/dev/null
            mapfile -t COMPREPLY < <(compgen -f -- "$word")
            return
            ;;
    esac
    if [[ $previous == help && $command == help ]]; then
        mapfile -t COMPREPLY < <(compgen -W 'check build serve reload status disconnect reservations trim unit secret demo' -- "$word")
        return
    fi

    # The words that the command takes besides options.
    local words=''
    case "$command$arguments" in
        reservations) words=clear ;;
        disconnect | trim | 'reservations clear') words=$(_iscsi_targets "$conf") ;;
    esac

    case $command in
        '')
            options='--help --version'
            [[ $word == -* ]] || options='check build serve reload status disconnect reservations trim unit secret demo help'
            ;;
        check) options='--conf --json --help' ;;
        build) options='--conf --dry-run --force --json --help' ;;
        serve) options='--conf --log --log-level --help' ;;
        reload) options='--conf --storage --force --json --help' ;;
        status) options='--conf --storage --watch --wait --json --help' ;;
        disconnect) options='--conf --storage --now --yes --help' ;;
        trim) options='--conf --storage --rate --json --help' ;;
        reservations) options='--conf --storage --yes --json --help' ;;
        unit) options='--conf --help' ;;
        secret) options='--hex --help' ;;
        demo) options='--help' ;;
    esac
    # Where a word is expected, options are proposed only after a "-".
    [[ -n $words && $word != -* ]] && options=$words
    mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word")
}

# Prints the targets of a conf, by their sections.
_iscsi_targets() {
    sed -nE 's/^[[:space:]]*\[[[:space:]]*([A-Za-z0-9.:-]+)[[:space:]]*\][[:space:]]*$/\1/p' "$1" 2>/dev/null
}

complete -F _iscsi iscsi
