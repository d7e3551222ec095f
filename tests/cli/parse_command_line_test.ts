import { assert, assertEquals } from "@std/assert";
import { COMMANDS } from "../../lib/cli/commands.ts";
import { parseCommandLine } from "../../lib/cli/parse_command_line.ts";

const DEFAULTS = {
  conf: "/etc/netmanager/iscsi.conf",
  dryRun: false,
  watch: undefined,
  rate: undefined,
  wait: undefined,
  probe: false,
  now: false,
  hex: false,
  yes: false,
  json: false,
  log: "text",
  logLevel: "info",
  help: false,
  version: false,
  storage: undefined,
  force: false,
  root: "/",
  init: undefined,
};

const build = COMMANDS.find((command) => command.name === "build")!;

/** Arguments, and the options of `build` that they mean. */
const GOOD_LINES: readonly (readonly [string, Partial<typeof DEFAULTS>])[] = [
  ["build", {}],
  ["build --conf a.conf", { conf: "a.conf" }],
  ["build --conf=a.conf --json", { conf: "a.conf", json: true }],
  ["--dry-run build --json", { dryRun: true, json: true }],
  ["build --conf 0", { conf: "0" }],
  ["build -c a.conf -n", { conf: "a.conf", dryRun: true }],
  ["-nc a.conf build", { conf: "a.conf", dryRun: true }],
];

for (const [line, values] of GOOD_LINES) {
  Deno.test(`parseCommandLine() understands "${line}"`, () => {
    const options = { ...DEFAULTS, ...values };
    assertEquals(parseCommandLine(line.split(" ")), { kind: "run", command: build, options, args: [] });
  });
}

Deno.test("parseCommandLine() takes --watch with and without its value", () => {
  const lines = [
    ["status", undefined],
    ["status --watch", ""],
    ["status --watch --json", ""],
    [
      "status --watch 5",
      "5",
    ],
    ["status --watch=5", "5"],
    ["status -w", ""],
    ["status -w 5", "5"],
    ["status -w --json", ""],
  ] as const;
  for (const [line, watch] of lines) {
    const parsed = parseCommandLine(line.split(" "));
    assertEquals(parsed.kind === "run" && parsed.options.watch, watch, line);
  }
  assertEquals(parseCommandLine(["build", "--watch"]), {
    kind: "wrong",
    problem: '"build" has no option --watch',
    command: build,
  });
});

const HELP_LINES = ["help build", "build --help", "--help build", "build -h", "help build --help"];

for (const line of HELP_LINES) {
  Deno.test(`parseCommandLine() takes "${line}" as a request for the help of build`, () => {
    assertEquals(parseCommandLine(line.split(" ")), { kind: "help", command: build });
  });
}

Deno.test("parseCommandLine() takes help and version without a command", () => {
  assertEquals(parseCommandLine([]), { kind: "help", command: undefined });
  for (const line of ["help", "help help", "--help", "-h", "--help --version"]) {
    assertEquals(parseCommandLine(line.split(" ")), { kind: "help", command: undefined }, line);
  }
  for (const line of ["--version", "-V"]) assertEquals(parseCommandLine([line]), { kind: "version" });
});

/** Command lines with a usage error, each with the message. */
const WRONG_LINES: readonly (readonly [string, string])[] = [
  ["build -n=yes", 'Option "-n" takes no value'],
  ["build -w 5", '"build" has no option --watch'],
  ["build -x", 'Unknown option "-x"'],
  ["biuld", 'Unknown command "biuld": did you mean "build"?'],
  ["halp", 'Unknown command "halp": did you mean "help"?'],
  ["zzzzzz", 'Unknown command "zzzzzz"'],
  ["help chek", 'Unknown command "chek": did you mean "check"?'],
  ["help build check", 'Unexpected argument "check"'],
  ["build now", 'Unexpected argument "now"'],
  ["build 7", 'Unexpected argument "7"'],
  ["build c.conf", 'Unexpected argument "c.conf" (use --conf c.conf)'],
  ["secret c.conf", 'Unexpected argument "c.conf"'],
  ["build -- --json", 'Unexpected argument "--json"'],
  ["reservations claer disk", 'Unexpected argument "claer": did you mean "clear"?'],
  ["reservations disk", 'Unexpected argument "disk": write [clear TARGET [LUN]]'],
  ["reservations clear disk 0 1", 'Unexpected argument "1"'],
  ["build --dryrun", 'Unknown option "--dryrun": did you mean "--dry-run"?'],
  ["build --cnf=x", 'Unknown option "--cnf=x": did you mean "--conf"?'],
  ["build -x", 'Unknown option "-x"'],
  ["build --no-json", 'Unknown option "--no-json"'],
  ["build --conf", 'Option "--conf" needs a FILE'],
  ["build --conf --json", 'Option "--conf" needs a FILE'],
  ["disconnect 7 --yes=no", 'Option "--yes" takes no value'],
  ["build --dry-run=false", 'Option "--dry-run" takes no value'],
  ["check --dry-run", '"check" has no option --dry-run'],
  ["build --version", '"build" has no option --version'],
  ["serve --log xml", 'Option "--log" cannot be "xml": write one of text, journal, json'],
  ["serve --log-level=", 'Option "--log-level" needs a LEVEL'],
  ["serve --log-level=all", 'Option "--log-level" cannot be "all": write one of error, warning, info, debug'],
  ["build --log json", '"build" has no option --log'],
  ["--json", 'Option "--json" needs a command'],
  ["--vresion", 'Unknown option "--vresion": did you mean "--version"?'],
];

for (const [line, problem] of WRONG_LINES) {
  Deno.test(`parseCommandLine() does not take "${line}"`, () => {
    const args = line === "" ? [] : line.split(" ");
    const command = COMMANDS.find(({ name }) => name === args.find((arg) => arg !== "help"));
    assertEquals(parseCommandLine(args), { kind: "wrong", problem, command });
  });
}

Deno.test("COMMANDS have names of their own, and code to load", async () => {
  const names = COMMANDS.map((command) => command.name);
  assertEquals(new Set([...names, "help"]).size, names.length + 1);
  for (const command of COMMANDS) assertEquals(typeof await command.load(), "function", command.name);
  assert(names.includes("check") && names.includes("build"));
});

Deno.test("parseCommandLine() takes one of an option's choices", () => {
  const line = parseCommandLine(["serve", "--log", "journal", "--log-level=debug"]);
  assert(line.kind === "run");
  assertEquals(line.options, { ...DEFAULTS, log: "journal", logLevel: "debug" });
});
