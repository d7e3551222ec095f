/** The files that go onto the appliance beside the executable agree with the program's own tables. */
import { assertEquals, assertMatch } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { EXIT_CODES } from "../../lib/cli/exit_code.ts";
import type { FileReading } from "../../lib/config/build_chap.ts";
import { type Option, OPTION_NAMES, OPTIONS } from "../../lib/config/options.ts";
import { parseConfig } from "../../lib/config/parse_config.ts";
import { runTool, testWithTools } from "../support/tools.ts";

const DIST = fromFileUrl(new URL("../../dist", import.meta.url));

function read(name: string): string {
  return Deno.readTextFileSync(join(DIST, name));
}

/** The value of an absent option, as the conf would write it; undefined when there is no such text. */
function defaultValue(option: Option<unknown>): string | undefined {
  return option.default !== undefined && "value" in option.default ? option.default.value : undefined;
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

Deno.test("the systemd unit names the program, and exit codes that a restart does not mend", () => {
  const unit = read("iscsi.service");
  assertMatch(unit, /^ExecStart=\/usr\/local\/sbin\/iscsi serve --log journal$/m);
  const { wrongUsage, confErrors } = EXIT_CODES;
  assertMatch(unit, new RegExp(`^RestartPreventExitStatus=${wrongUsage.code} ${confErrors.code}$`, "m"));
  // A comment has a line of its own: at the end of a line it would be part of the value.
  for (const line of unit.split("\n")) assertMatch(line, /^(?:|[#].*|\[[A-Z][a-z]+\]|[A-Z][A-Za-z]+=[^#]+)$/);
});

testWithTools("systemd accepts the unit", ["systemd-analyze"], async () => {
  const folder = Deno.makeTempDirSync();
  try {
    // The program and its man page are not installed here.
    const unit = read("iscsi.service").replaceAll("/usr/local/sbin/iscsi", "/bin/true").replace(
      /^Documentation=.*$/m,
      "",
    );
    Deno.writeTextFileSync(join(folder, "iscsi.service"), unit);
    const { stdout, stderr } = await runTool("systemd-analyze", ["verify", join(folder, "iscsi.service")]);
    const faults = `${stdout}${stderr}`.split("\n").filter((line) => line.includes("iscsi.service"));
    assertEquals(faults, []);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});
