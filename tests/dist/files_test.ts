/** The files that go onto the appliance beside the executable agree with the program's own tables. */
import { assert, assertEquals } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { findOpenTargets } from "../../lib/access/open_access.ts";
import type { FileReading } from "../../lib/config/build_chap.ts";
import { type Option, OPTION_NAMES, OPTIONS } from "../../lib/config/options.ts";
import { parseConfig } from "../../lib/config/parse_config.ts";
import { runCommand } from "../cli/command_run.ts";
import { runTool, runToolOk, testWithTools } from "../support/tools.ts";

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

Deno.test("the example conf, copied as it is, offers a target only to one network", () => {
  const { config } = parseConfig(read("iscsi.conf.example"), { file: "iscsi.conf.example" });
  assert(config !== undefined);
  assertEquals(findOpenTargets(config.targets), []);
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

/** Writes the unit of the example conf to a folder, and passes its path. */
async function withUnit(
  change: (conf: string) => string,
  use: (path: string) => Promise<void>,
): Promise<void> {
  const folder = Deno.makeTempDirSync();
  try {
    const conf = join(folder, "iscsi.conf");
    Deno.writeTextFileSync(conf, change(read("iscsi.conf.example")));
    const { stdout, stderr, exitCode } = await runCommand(["unit", "--conf", conf]);
    assertEquals([stderr, exitCode], ["", 0]);
    // The program and its man page are not installed here.
    const unit = stdout.replaceAll("/usr/local/sbin/iscsi", "/bin/true").replace(/^Documentation=.*$/m, "");
    Deno.writeTextFileSync(join(folder, "iscsi.service"), unit);
    await use(join(folder, "iscsi.service"));
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

/** Changes of the example conf that give other units: as it is, with a block device and metrics, and with odd names. */
const VARIANTS: readonly ((conf: string) => string)[] = [
  (conf) => conf,
  (conf) =>
    `metrics=81\nport=860\n${conf}\n[device]\nsize=1MB\nfile=/dev/loop0\nnetworks=192.168.1.0/24 fd00::/64\n`,
  (conf) => `${conf}\n[odd]\nsize=1MB\nfile=/home/with space/50%/a\n`,
];

testWithTools("systemd accepts the unit", ["systemd-analyze"], async () => {
  for (const change of VARIANTS) {
    await withUnit(change, async (path) => {
      const { stdout, stderr } = await runTool("systemd-analyze", ["verify", path]);
      const faults = `${stdout}${stderr}`.split("\n").filter((line) => line.includes("iscsi.service"));
      assertEquals(faults, []);
    });
  }
});

/** The highest exposure of the unit, of 10, as `systemd-analyze security` rates it. */
const EXPOSURE_MAX = 2.5;

testWithTools("systemd rates the exposure of the unit as low", ["systemd-analyze"], async () => {
  for (const change of VARIANTS) {
    await withUnit(change, async (path) => {
      const args = ["security", "--no-pager", "--offline=yes", path];
      const report = await runToolOk("systemd-analyze", args, { env: { SYSTEMD_EMOJI: "0", LC_ALL: "C" } });
      const exposure = Number(/Overall exposure level for iscsi\.service: ([\d.]+)/.exec(report)?.[1]);
      assert(exposure <= EXPOSURE_MAX, report);
    });
  }
});
