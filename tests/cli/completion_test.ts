import { assert, assertEquals, assertMatch } from "@std/assert";
import { basename, join } from "@std/path";
import { COMMANDS } from "../../lib/cli/commands.ts";
import { COMPLETIONS } from "../../lib/cli/completion.ts";
import { SHELLS } from "../../lib/cli/completion_words.ts";
import { type Option, optionFlags, type OptionName, OPTIONS } from "../../lib/cli/options.ts";
import { Completer } from "../support/complete.ts";
import { runToolOk, testWithTools } from "../support/tools.ts";
import { type CommandRun, runCommand } from "./command_run.ts";

const NAMES = COMMANDS.map(({ name }) => name);

/** Prints its arguments as one word, so that a proposal shows how the program was called. */
const SHOW_CALL = "printf '%s' called; printf '/%s' \"$@\"; echo";

function flags(names: readonly OptionName[]): string[] {
  return names.map((name) => `--${OPTIONS[name].flag}`).toSorted();
}

for (const shell of SHELLS) {
  testWithTools(`${shell} completes every command and its options, and nothing else`, [shell], async () => {
    using completer = new Completer(SHOW_CALL);
    assertEquals(await completer.propose(shell, "iscsi "), [...NAMES, "help"].toSorted());
    assertEquals(await completer.propose(shell, "iscsi --"), flags(["help", "version"]));
    assertEquals(await completer.propose(shell, "iscsi help "), NAMES.toSorted());
    for (const { name, options } of COMMANDS) {
      assertEquals(await completer.propose(shell, `iscsi ${name} --`), flags([...options, "help"]), name);
    }
    assertEquals(await completer.propose(shell, "iscsi relo"), ["reload"]);
  });

  testWithTools(`${shell} completes the choices of every option that has some`, [shell], async () => {
    using completer = new Completer(SHOW_CALL);
    const rows = Object.entries<Option>(OPTIONS).filter(([, { choices }]) => choices !== undefined);
    assert(rows.length > 0);
    for (const [name, { flag, choices = [] }] of rows) {
      const command = COMMANDS.find(({ options }) => options.includes(name as OptionName))!.name;
      assertEquals(await completer.propose(shell, `iscsi ${command} --${flag} `), choices.toSorted());
      const [first = ""] = choices;
      const start = first.slice(0, 1);
      const expected = choices.filter((word) => word.startsWith(start));
      const proposals = await completer.propose(shell, `iscsi ${command} --${flag}=${start}`);
      assertEquals(proposals.map((word) => word.replace(/^.*=/, "")), expected.toSorted());
    }
  });

  testWithTools(`${shell} asks the program for the names that a command takes`, [shell], async () => {
    using completer = new Completer(SHOW_CALL);
    for (const { name, arguments: { words = [], completes, max } = {} } of COMMANDS) {
      if (words.length > 0) {
        assertEquals(await completer.propose(shell, `iscsi ${name} `), [...words].toSorted(), name);
      }
      if (completes === undefined) continue;
      const first = max === Infinity ? [name, `${name} one two`] : [name];
      for (const start of words.length === 0 ? first : words.map((word) => `${name} ${word}`)) {
        const call = `called/completion/${completes}`;
        assertEquals(await completer.propose(shell, `iscsi ${start} `), [call]);
        for (const place of [...optionFlags(OPTIONS.conf).map((flag) => `${flag} /c`), "--conf=/c"]) {
          const [proposal] = await completer.propose(shell, `iscsi ${start} ${place} `);
          assertMatch(proposal ?? "", new RegExp(`^${call}/(--conf=/c|-c//c|--conf//c)$`));
        }
      }
    }
    using silent = new Completer("echo broken >&2; exit 1");
    assertEquals(await silent.propose(shell, "iscsi disconnect "), []);
  });

  testWithTools(`${shell} completes files for --conf and folders for --storage`, [shell], async () => {
    using completer = new Completer(SHOW_CALL);
    const { folder } = completer;
    Deno.writeTextFileSync(join(folder, "my.conf"), "");
    Deno.mkdirSync(join(folder, "my.d"));
    const propose = async (line: string): Promise<string[]> =>
      (await completer.propose(shell, line)).map((word) => basename(word));
    assertEquals(await propose(`iscsi check --conf ${folder}/my.c`), ["my.conf"]);
    assertEquals(await propose(`iscsi check --conf=${folder}/my.c`), ["my.conf"]);
    assertEquals(await propose(`iscsi status --storage ${folder}/my.`), ["my.d"]);
  });
}

testWithTools("bash completes names with colons, wherever it cuts words", ["bash"], async () => {
  using completer = new Completer("echo iqn.2011-07.com.example:anna; echo iqn.2011-07.com.example:ben");
  const line = "iscsi disconnect iqn.2011-07.com.example:a";
  assertEquals(await completer.propose("bash", line), ["anna"]);
  assertEquals(await completer.propose("bash", line, { BREAKS: " \t\n" }), ["iqn.2011-07.com.example:anna"]);
});

testWithTools("shellcheck accepts the completion of bash", ["shellcheck"], async () => {
  using completer = new Completer(SHOW_CALL);
  assertEquals(await runToolOk("shellcheck", ["-s", "bash", join(completer.folder, "iscsi.bash")]), "");
});

Deno.test("iscsi completion prints the script of each shell", async () => {
  for (const shell of SHELLS) {
    const { stdout, exitCode } = await runCommand(["completion", shell]);
    assertEquals([stdout, exitCode], [COMPLETIONS[shell](COMMANDS), 0]);
  }
});

Deno.test("iscsi completion targets prints those of the conf where no server runs; sessions prints none", async () => {
  using completer = new Completer("");
  const conf = join(completer.folder, "conf");
  Deno.writeTextFileSync(conf, `storage=${completer.folder}/s\n[disk.1]\nsize=1MB\n[pool]\nsize=1MB\n`);
  const run = (word: string): Promise<CommandRun> => runCommand(["completion", word, "--conf", conf]);
  assertEquals(await run("targets"), { stdout: "disk.1\npool\n", stderr: "", exitCode: 0 });
  assertEquals(await run("sessions"), { stdout: "", stderr: "", exitCode: 0 });
  assertEquals(await run("unused"), { stdout: "", stderr: "", exitCode: 0 });
  assertEquals((await runCommand(["build", "--conf", conf])).exitCode, 0);
  Deno.writeTextFileSync(conf, `storage=${completer.folder}/s\n[pool]\nsize=1MB\n`);
  assertEquals(await run("unused"), { stdout: "disk.1\n", stderr: "", exitCode: 0 });
  const json = await runCommand(["completion", "unused", "--conf", conf, "--json"]);
  assertEquals(JSON.parse(json.stdout), { names: ["disk.1"] });
});
