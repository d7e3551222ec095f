/** The files installed beside the executable agree with the program's own tables. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { COMMANDS } from "../../lib/cli/commands.ts";
import { EXIT_CODES } from "../../lib/cli/exit_code.ts";
import {
  type Option as CommandOption,
  type OptionName,
  OPTIONS as COMMAND_OPTIONS,
  optionSyntax,
} from "../../lib/cli/options.ts";
import type { FileReading } from "../../lib/config/build_chap.ts";
import { type Option, OPTION_NAMES, OPTIONS } from "../../lib/config/options.ts";
import { parseConfig } from "../../lib/config/parse_config.ts";
import { runTool, runToolOk } from "../support/tools.ts";

const DIST = fromFileUrl(new URL("../../dist", import.meta.url));

function read(name: string): string {
  return Deno.readTextFileSync(join(DIST, name));
}

/** Returns the default of an option, as the conf would write it; undefined when it cannot be written. */
function defaultValue(option: Option<unknown>): string | undefined {
  return option.default !== undefined && "value" in option.default ? option.default.value : undefined;
}

/** Returns an option as a usage line shows it. */
function usage(name: OptionName): string {
  return optionSyntax(COMMAND_OPTIONS[name]);
}

Deno.test("the example conf is a good conf, also with everything in it that is commented out", () => {
  const example = read("iscsi.conf.example");
  const whole = example.replaceAll(/^#(?=[a-z])/gm, "");
  for (const text of [example, whole]) {
    const readFile = (): FileReading => ({ text: "name one-more-secret", mode: 0o600 });
    const { config, diagnostics } = parseConfig(text, { file: "iscsi.conf.example", readFile });
    assertEquals(diagnostics, []);
    assertEquals(config?.targets.map(({ logicalUnits }) => logicalUnits.length), [2]);
  }
});

Deno.test("the example conf has every option where it may stand, with its default if it has one", () => {
  const [globals = "", target = ""] = read("iscsi.conf.example").split(/^\[.*\]$/m);
  for (const name of OPTION_NAMES) {
    const { place } = OPTIONS[name];
    for (const [part, text] of [["global", globals], ["target", target]] as const) {
      const value = new RegExp(`^#?${name}=(.*)$`, "m").exec(text)?.[1];
      assertEquals(value !== undefined, place === part || place === "both", `${name} as a ${part} option`);
      const expected = defaultValue(OPTIONS[name]);
      if (value !== undefined && expected !== undefined) assertEquals(value, expected, name);
    }
  }
});

/** Returns the man page as text: each line without macro and escapes, and the name of its macro. */
function manLines(): { macro: string; text: string }[] {
  return read("iscsi.8").split("\n").map((line) => {
    const [, macro = "", rest = ""] = /^(?:\.([A-Za-z]+) ?)?(.*)$/.exec(line) ?? [];
    const joined = /^(BR|BI|IB|RB)$/.test(macro)
      ? rest.replaceAll(/"([^"]*)"| /g, (_, word?: string) => word ?? "")
      : rest;
    return { macro, text: joined.replaceAll(/\\f[A-Z]/g, "").replaceAll("\\-", "-") };
  });
}

/** Returns the lines of a section of the man page. */
function manSection(title: string): { macro: string; text: string }[] {
  const lines = manLines();
  const start = lines.findIndex(({ macro, text }) => macro === "SH" && text === title);
  const length = lines.slice(start + 1).findIndex(({ macro }) => macro === "SH");
  assert(start >= 0, `no section ${title}`);
  return lines.slice(start + 1, length < 0 ? undefined : start + 1 + length);
}

/** Returns the terms that a section of the man page explains: the lines after each `.TP`. */
function manTags(title: string): string[] {
  const lines = manSection(title);
  return lines.flatMap(({ macro }, index) => macro === "TP" ? [lines[index + 1]!.text] : []);
}

Deno.test("the man page has every command with its options, and no other", () => {
  const synopses = manSection("SYNOPSIS").map(({ text }) => text).join(" ").split("  ");
  const expected = COMMANDS.map(({ name, arguments: args, options }) =>
    [
      "iscsi",
      name,
      ...(args === undefined ? [] : [args.syntax]),
      ...options.map((option) => `[${usage(option)}]`),
    ].join(" ")
  );
  assertEquals(synopses, [...expected, "iscsi help [COMMAND]", "iscsi --version"]);
  assertEquals(manTags("COMMANDS"), [...COMMANDS.map(({ name }) => name), "help"]);
  const options = Object.keys(COMMAND_OPTIONS) as OptionName[];
  assertEquals(manTags("OPTIONS").map((tag) => tag.replaceAll('"', "")), options.map(usage));
  const text = manSection("OPTIONS").map(({ text }) => text).join(" ");
  assert(text.includes(`by default ${COMMAND_OPTIONS.conf.default}`), text);
});

Deno.test("the man page has every field of JSON that the README has", () => {
  const readme = Deno.readTextFileSync(new URL("../../README.md", import.meta.url));
  const section = readme.slice(readme.indexOf("### JSON"), readme.indexOf("## Connecting"));
  const fields = [...section.matchAll(/`([A-Za-z0-9]+)`/g)].map(([, field]) => field!);
  const words = new Set(manSection("JSON").flatMap(({ text }) => text.split(/[^A-Za-z0-9]+/)));
  assert(fields.length > 100);
  assertEquals(fields.filter((field) => !words.has(field)), []);
});

Deno.test("the man page has every exit code", () => {
  const expected = Object.values(EXIT_CODES).map(({ code }) => String(code));
  assertEquals(manTags("EXIT STATUS"), expected);
  const text = manSection("EXIT STATUS").map(({ text }) => text).join(" ").toLowerCase();
  for (const { meaning } of Object.values(EXIT_CODES)) assert(text.includes(meaning), meaning);
});

Deno.test("the man page has every option of the conf, with its default", () => {
  const lines = manSection("CONF");
  assertEquals(
    manTags("CONF").map((tag) => tag.replace(/=.*$/, "")).toSorted(),
    OPTION_NAMES.toSorted(),
  );
  for (const name of OPTION_NAMES) {
    const start = lines.findIndex(({ text }) => text.startsWith(`${name}=`));
    const length = lines.slice(start).findIndex(({ macro }) => macro === "TP");
    const text = lines.slice(start, length < 0 ? undefined : start + length).map(({ text }) => text).join(
      " ",
    );
    const value = defaultValue(OPTIONS[name]);
    if (value !== undefined) {
      assert(text.includes(`Default: ${value} .`) || text.includes(`Default: ${value}.`), text);
    }
  }
});

/** Returns bash's completions of the last of these words, sorted. */
async function complete(...words: readonly string[]): Promise<string[]> {
  const script =
    'source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _iscsi; printf "%s\\n" "${COMPREPLY[@]}"';
  const args = ["--norc", "-c", script, join(DIST, "completions/iscsi.bash"), "iscsi", ...words];
  return (await runToolOk("bash", args)).split("\n").filter((word) => word !== "").toSorted();
}

function flags(names: readonly OptionName[]): string[] {
  return names.map((name) => `--${COMMAND_OPTIONS[name].flag}`).toSorted();
}

Deno.test("bash completes every command and its options, and nothing else", async () => {
  const names = COMMANDS.map(({ name }) => name);
  assertEquals(await complete(""), [...names, "help"].toSorted());
  assertEquals(await complete("--"), flags(["help", "version"]));
  assertEquals(await complete("help", ""), names.toSorted());
  for (const { name, options } of COMMANDS) {
    assert((await complete(name.slice(0, -1))).includes(name), name);
    assertEquals(await complete(name, "--"), flags([...options, "help"]), name);
  }
});

Deno.test("bash completes what a command takes besides options: its words, and targets of the conf", async () => {
  const folder = Deno.makeTempDirSync();
  try {
    const conf = join(folder, "conf");
    Deno.writeTextFileSync(
      conf,
      "storage=/x\n# [no]\n[disk.1]\nsize=1MB\n  [ pool ]\nsize=1MB\ncomment=[neither]\n",
    );
    for (const { name, options, arguments: taken } of COMMANDS) {
      const { words = [], syntax = "" } = taken ?? {};
      const targets = syntax.includes("TARGET") ? ["disk.1", "pool"] : [];
      const first = taken === undefined ? flags([...options, "help"]) : words.length > 0 ? words : targets;
      const given = options.includes("conf") ? ["--conf", conf] : ["--help"];
      assertEquals(await complete(name, ...given, ""), [...first], name);
      for (const word of words) {
        assertEquals(await complete(name, word, ...given, ""), targets, `${name} ${word}`);
        assertEquals(
          await complete(name, word, "x", ...given, ""),
          flags([...options, "help"]),
          `${name} ${word} x`,
        );
      }
    }
    // A conf that cannot be read has no targets, and is nothing to warnOnce of here.
    assertEquals(await complete("reservations", "clear", "--conf", join(folder, "none"), "p"), []);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("bash completes the name of the conf, and options after it", async () => {
  const folder = Deno.makeTempDirSync();
  try {
    Deno.writeTextFileSync(join(folder, "my.conf"), "");
    const start = join(folder, "my.c");
    // Bash treats "=" as a separate word.
    for (const words of [["--conf", start], ["--conf", "=", start]]) {
      assertEquals(await complete("check", ...words), [join(folder, "my.conf")]);
    }
    for (const words of [["--conf", "a"], ["--conf", "=", "a"]]) {
      assertEquals(await complete(...words, "check", "--j"), ["--json"]);
    }
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("bash completes what an option can be, and options after it", async () => {
  for (const [name, { flag, choices = [] }] of Object.entries<CommandOption>(COMMAND_OPTIONS)) {
    if (choices.length === 0) continue;
    const words = choices.toSorted();
    assertEquals(await complete("serve", `--${flag}`, ""), words, name);
    assertEquals(await complete("serve", `--${flag}`, "="), words, name);
    assertEquals(
      await complete("serve", `--${flag}`, "=", words[0]!.slice(0, 1)),
      words.filter((word) => word.startsWith(words[0]!.slice(0, 1))),
    );
    assertEquals(await complete(`--${flag}`, words[0]!, "serve", "--c"), ["--conf"]);
  }
});

Deno.test("the systemd unit names the program, and exit codes that a restart does not mend", () => {
  const unit = read("iscsi.service");
  assertMatch(unit, /^ExecStart=\/usr\/local\/sbin\/iscsi serve --log journal$/m);
  const { wrongUsage, confErrors } = EXIT_CODES;
  assertMatch(unit, new RegExp(`^RestartPreventExitStatus=${wrongUsage.code} ${confErrors.code}$`, "m"));
  // A comment has a line of its own: at the end of a line it would be part of the value.
  for (const line of unit.split("\n")) assertMatch(line, /^(?:|[#].*|\[[A-Z][a-z]+\]|[A-Z][A-Za-z]+=[^#]+)$/);
});

/** Reports if a program that checks a file is installed. */
function hasProgram(name: string): boolean {
  try {
    return new Deno.Command(name, { args: ["--version"], stdout: "null", stderr: "null" }).outputSync()
      .success;
  } catch {
    return false;
  }
}

Deno.test({
  name: "groff has nothing to say against the man page (takes groff)",
  ignore: !hasProgram("groff"),
  async fn(): Promise<void> {
    const { code, stdout, stderr } = await runTool("groff", ["-man", "-ww", "-z", join(DIST, "iscsi.8")]);
    assertEquals([code, stdout, stderr], [0, "", ""]);
  },
});

Deno.test({
  name: "systemd has nothing to say against the unit (takes systemd-analyze)",
  ignore: !hasProgram("systemd-analyze"),
  async fn(): Promise<void> {
    const folder = Deno.makeTempDirSync();
    try {
      // The program and its man page are not installed here.
      const unit = read("iscsi.service").replaceAll("/usr/local/sbin/iscsi", "/bin/true").replace(
        /^Documentation=.*$/m,
        "",
      );
      Deno.writeTextFileSync(join(folder, "iscsi.service"), unit);
      const { stdout, stderr } = await runTool("systemd-analyze", ["verify", join(folder, "iscsi.service")]);
      const said = `${stdout}${stderr}`.split("\n").filter((line) => line.includes("iscsi.service"));
      assertEquals(said, []);
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
  },
});
