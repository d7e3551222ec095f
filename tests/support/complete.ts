/** Completion in real shells: the words that bash, fish and zsh propose at the end of a line. */
import { join } from "@std/path";
import { COMMANDS } from "../../lib/cli/commands.ts";
import { COMPLETIONS } from "../../lib/cli/completion.ts";
import { type Shell, SHELLS } from "../../lib/cli/completion_words.ts";
import { iscsiCommand } from "./server_process.ts";
import { runToolOk } from "./tools.ts";

/** Bash calls a function with the line in variables; `BREAKS` are the characters at which it cuts words. */
const BASH = `source "$0/iscsi.bash"
COMP_WORDBREAKS=\${BREAKS-$COMP_WORDBREAKS} COMP_LINE=$1 COMP_POINT=\${#1}
$(complete -p iscsi | sed 's/.*-F \\([^ ]*\\) .*/\\1/')
((\${#COMPREPLY[@]})) && printf '%s\\n' "\${COMPREPLY[@]}"; true`;

const FISH = `source $argv[1]/iscsi.fish; complete -C $argv[2]`;

/** An interactive zsh on a terminal of its own, which notes what its completion adds. */
const ZSH = `zmodload zsh/zpty
folder=$0
zpty shell zsh -f -i
zpty -w shell "PS1= fpath=($folder \\$fpath) out=$folder/out; autoload -U compinit; compinit -C -u -d $folder/dump"
zpty -w shell 'compadd() {
  if [[ \${@[1,(i)(-|--)]} == *-(O|A|D)\\ * ]]; then builtin compadd "$@"; return; fi
  local -a hits; builtin compadd -A hits "$@"; print -l -- $hits >>$out; builtin compadd "$@"
}'
zpty -w shell 'comppostfuncs=(finish); finish() { exit }'
zpty -w -n shell "$1"$'\\t'
while zpty -r shell text; do :; done >/dev/null 2>&1
cat $folder/out`;

const ARGUMENTS: Readonly<Record<Shell, readonly string[]>> = {
  bash: ["--norc", "-c", BASH],
  fish: ["--no-config", "-c", FISH],
  zsh: ["-f", "-c", ZSH],
};

/** The scripts of all shells in a scratch folder, with a program `iscsi` that they call. */
export class Completer {
  readonly folder = Deno.makeTempDirSync({ prefix: "iscsi-" });
  readonly #script = join(this.folder, "iscsi");

  /** @param program a shell script; by default it runs the program under test */
  constructor(program = runProgram()) {
    for (const shell of SHELLS) {
      Deno.writeTextFileSync(
        join(this.folder, shell === "zsh" ? "_iscsi" : `iscsi.${shell}`),
        COMPLETIONS[shell](COMMANDS),
      );
    }
    Deno.writeTextFileSync(this.#script, `#!/bin/sh\n${program}\n`, { mode: 0o755 });
  }

  /** Returns what a shell proposes at the end of a line, sorted. */
  async propose(shell: Shell, line: string, env: Readonly<Record<string, string>> = {}): Promise<string[]> {
    const out = join(this.folder, "out");
    Deno.writeTextFileSync(out, "");
    const path = `${this.folder}:${Deno.env.get("PATH") ?? ""}`;
    const args = [...ARGUMENTS[shell], this.folder, line];
    const text = await runToolOk(shell, args, { env: { PATH: path, HOME: this.folder, ...env } });
    // Fish adds the description after a tab.
    const words = text.split("\n").map((word) => word.replace(/\t.*/, ""));
    return [...new Set(words)].filter((word) => word !== "").toSorted();
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.folder, { recursive: true });
  }
}

function runProgram(): string {
  const { program, args } = iscsiCommand();
  return `exec ${[program, ...args].map((word) => `'${word}'`).join(" ")} "$@"`;
}
