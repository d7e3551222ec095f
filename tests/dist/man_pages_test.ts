/** The man pages agree with the program's own tables. */
import { INIT_SYSTEMS } from "../../lib/cli/init_system.ts";
import type { InstallReport } from "../../lib/cli/install.ts";
import type { InstallAction } from "../../lib/cli/installation.ts";
import { assert, assertEquals } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { COMMANDS } from "../../lib/cli/commands.ts";
import { EXIT_CODES } from "../../lib/cli/exit_code.ts";
import { reloadToJson } from "../../lib/cli/format_reload.ts";
import { LOG_FORMATS } from "../../lib/cli/log_format.ts";
import {
  type OptionName,
  OPTIONS as COMMAND_OPTIONS,
  optionSyntax,
  optionTerm,
} from "../../lib/cli/options.ts";
import type { ReloadOutcome } from "../../lib/cli/request_reload.ts";
import type { FileReading } from "../../lib/config/build_chap.ts";
import { CONSEQUENCES } from "../../lib/config/config_difference.ts";
import { OPTION_NAMES, OPTIONS } from "../../lib/config/options.ts";
import { parseConfig } from "../../lib/config/parse_config.ts";
import { EVENT_KINDS, LOG_LEVELS } from "../../lib/iscsi/events/event_log.ts";
import { runCommand } from "../cli/command_run.ts";
import { withScratch } from "../provision/scratch.ts";
import { runTool, testWithTools } from "../support/tools.ts";
import { ManPage } from "./man_page.ts";

const COMMAND_PAGE = new ManPage("iscsi.8");
const CONF_PAGE = new ManPage("iscsi.conf.5");

/** An option of the command line in a usage. */
function usage(name: OptionName): string {
  return optionSyntax(COMMAND_OPTIONS[name]);
}

Deno.test("iscsi(8) has every command with its options, and no other", () => {
  const synopses = COMMAND_PAGE.text("SYNOPSIS").split("  ");
  const expected = COMMANDS.map(({ name, arguments: args, options }) =>
    [
      "iscsi",
      name,
      ...(args === undefined ? [] : [args.syntax]),
      ...options.map((option) => `[${usage(option)}]`),
    ].join(" ")
  );
  assertEquals(synopses, [...expected, "iscsi help [COMMAND]", "iscsi --version"]);
  assertEquals(COMMAND_PAGE.tags("COMMANDS"), [...COMMANDS.map(({ name }) => name), "help"]);
  const options = Object.keys(COMMAND_OPTIONS) as OptionName[];
  assertEquals(
    COMMAND_PAGE.tags("OPTIONS").map((tag) => tag.replaceAll('"', "")),
    options.map((option) => optionTerm(COMMAND_OPTIONS[option]).trim()),
  );
  const text = COMMAND_PAGE.text("OPTIONS");
  assert(text.includes(`by default ${COMMAND_OPTIONS.conf.default}`), text);
});

Deno.test("iscsi(8) has every exit code", () => {
  const expected = Object.values(EXIT_CODES).map(({ code }) => String(code));
  assertEquals(COMMAND_PAGE.tags("EXIT STATUS"), expected);
  const text = COMMAND_PAGE.text("EXIT STATUS").toLowerCase();
  for (const { meaning } of Object.values(EXIT_CODES)) assert(text.includes(meaning), meaning);
});

/** The names of all fields of a JSON document. */
function fieldsOf(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(fieldsOf);
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([name, field]) => [name, ...fieldsOf(field)]);
}

/** Asserts that the page has the fields of a document under its command. */
function assertDocumented(command: string, document: unknown): void {
  const words = COMMAND_PAGE.jsonWords(command);
  const fields = new Set(fieldsOf(document));
  assert(fields.size > 0);
  assertEquals([...fields].filter((field) => !words.has(field)), [], command);
}

Deno.test("iscsi(8) has every field of the JSON of check and build", () =>
  withScratch(async (folder) => {
    const conf = join(folder, "conf");
    Deno.writeTextFileSync(
      conf,
      `storage=${folder}/s\nmetrics=9860\nuser=one\nsecret=not-for-showing1\n[A]\nsize=1MB 1MB\nredirect=192.168.1.1\n`,
      { mode: 0o600 },
    );
    const documentOf = async (...args: readonly string[]): Promise<unknown> =>
      JSON.parse((await runCommand([...args, "--json", "--conf", conf])).stdout);
    assertDocumented("check", await documentOf("check"));
    assertDocumented("build", await documentOf("build"));
  }));

Deno.test("iscsi(8) has every field of the JSON of install, and every action", () => {
  const actions: readonly InstallAction[] = ["install", "replace", "keep", "refuse"];
  const files = actions.map((action) => ({ action, path: "" }));
  assertDocumented("install", { init: "systemd", files, next: [] } satisfies InstallReport);
  const words = COMMAND_PAGE.jsonWords("install");
  assertEquals([...actions, ...INIT_SYSTEMS].filter((word) => !words.has(word)), []);
});

Deno.test("iscsi(8) has every field of the outcome of a reload, and every consequence", () => {
  const server = { holderPid: 1 };
  const sessions = [{ initiator: "", address: "", target: "" }];
  const changes = Object.keys(CONSEQUENCES).map((consequence) => ({
    description: "",
    consequence,
    sessions,
  }));
  const outcomes = [
    { kind: "refused", server, message: "" },
    { kind: "unfinished", server, message: "", isInterrupted: false },
    { kind: "done", server, report: { dryRun: false, changes, obstacle: null } },
  ] as unknown as readonly ReloadOutcome[];
  assertDocumented("build", outcomes.map(reloadToJson));
  const words = COMMAND_PAGE.jsonWords("build");
  assertEquals(Object.keys(CONSEQUENCES).filter((consequence) => !words.has(consequence)), []);
});

Deno.test("iscsi(8) explains the change of every option of the conf", () => {
  const words = COMMAND_PAGE.tags("CHANGES TO A RUNNING SERVER").flatMap((tag) => tag.split(/[^a-z_]+/));
  assertEquals(OPTION_NAMES.filter((name) => !words.includes(name)), []);
});

Deno.test("iscsi(8) names every kind of event, every level and every format", () => {
  const tags = COMMAND_PAGE.tags("LOGS");
  assertEquals(tags, [...LOG_LEVELS, ...Object.keys(LOG_FORMATS).map((name) => `--log ${name}`)]);
  const words = COMMAND_PAGE.text("LOGS").split(/[^A-Za-z]+/);
  assertEquals(EVENT_KINDS.filter((kind) => !words.includes(kind)), []);
});

Deno.test("iscsi.conf(5) has every option under the place where it may stand, with its default", () => {
  const sections = { global: "GLOBAL OPTIONS", target: "TARGET OPTIONS", both: "OPTIONS OF BOTH" } as const;
  for (const [place, title] of Object.entries(sections)) {
    const entries = CONF_PAGE.entries(title);
    const expected = OPTION_NAMES.filter((name) => OPTIONS[name].place === place);
    assertEquals(entries.map(({ tag }) => tag.replace(/=.*$/, "")).toSorted(), expected.toSorted(), title);
    for (const { tag, text } of entries) {
      const { default: absent } = OPTIONS[tag.replace(/=.*$/, "") as typeof OPTION_NAMES[number]];
      if (absent === undefined) assert(text.startsWith("Mandatory: "), text);
      else if ("value" in absent) assert(/Default: (.*?) ?\.$/.exec(text)?.[1] === absent.value, text);
      else assert(text.includes("Default: "), text);
    }
  }
});

Deno.test("the examples of iscsi.conf(5) are good confs", () => {
  const examples = CONF_PAGE.examples("EXAMPLES");
  const [confs, secrets] = [0, 1].map((kind) =>
    examples.filter((text) => text.includes("=") === (kind === 0))
  );
  assertEquals([confs!.length, secrets!.length], [5, 1]);
  const readFile = (): FileReading => ({ text: secrets![0]!, mode: 0o600 });
  for (const example of confs!) {
    assertEquals(parseConfig(example, { file: "conf", readFile }).diagnostics, [], example);
  }
});

for (const name of ["iscsi.8", "iscsi.conf.5"]) {
  testWithTools(`groff accepts ${name}`, ["groff"], async () => {
    const path = join(fromFileUrl(new URL("../../dist", import.meta.url)), name);
    const { code, stdout, stderr } = await runTool("groff", ["-man", "-ww", "-z", path]);
    assertEquals([code, stdout, stderr], [0, "", ""]);
  });
}
