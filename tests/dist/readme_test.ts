/** The README agrees with the program's own tables. */
import { assert, assertEquals } from "@std/assert";
import denoConfig from "../../deno.json" with { type: "json" };
import { COMMANDS } from "../../lib/cli/commands.ts";
import { OPTIONS as COMMAND_OPTIONS, optionSyntax } from "../../lib/cli/options.ts";
import { OPTION_NAMES, OPTIONS } from "../../lib/config/options.ts";

const README = Deno.readTextFileSync(new URL("../../README.md", import.meta.url));

/** Returns a section, from its heading to the next of the same level. */
function section(title: string): string {
  const start = README.indexOf(`\n## ${title}\n`);
  assert(start >= 0, `no section ${title}`);
  const length = README.slice(start + 1).indexOf("\n## ");
  return README.slice(start, length < 0 ? undefined : start + 1 + length);
}

Deno.test("the README has every option of the conf, where it may stand, with its default if it has one", () => {
  const rows = [...section("The conf").matchAll(/^\| (`.*?) +\| (\w+) +\| (.*?) +\|/gm)];
  const options = rows.flatMap(([, names = "", place = "", value = ""]) =>
    [...names.matchAll(/`(\w+)`/g)].map(([, name = ""]) => ({
      name,
      place,
      value: value.replaceAll("`", ""),
    }))
  );
  assertEquals(options.map(({ name }) => name).toSorted(), OPTION_NAMES.toSorted());
  for (const name of OPTION_NAMES) {
    const { place, default: absent } = OPTIONS[name];
    const shown = options.find((option) => option.name === name)!;
    assertEquals(shown.place, place, name);
    if (absent !== undefined && "value" in absent) {
      assertEquals(shown.value.replace(/^no$/, "n"), absent.value, name);
    }
  }
});

Deno.test("the README has every command with its options", () => {
  const lines = section("Commands").split("\n").filter((line) => line.startsWith("    iscsi "));
  const shown = lines.map((line) => line.trim().replace(/ {2,}.*$/, ""));
  const expected = COMMANDS.map(({ name, arguments: args, options }) => {
    const words = options.map((option) => `[${optionSyntax(COMMAND_OPTIONS[option])}]`);
    return ["iscsi", name, ...(args === undefined ? [] : [args.syntax]), ...words].join(" ");
  });
  assertEquals(shown, [...expected, "iscsi help [COMMAND], iscsi --help, iscsi --version"]);
});

Deno.test("the README has every task", () => {
  const tasks = [...section("Development").matchAll(/^ {4}deno task (\w+)/gm)].map(([, name]) => name);
  assertEquals(tasks.toSorted(), Object.keys(denoConfig.tasks).toSorted());
});

Deno.test("the README's contents lead to its sections", () => {
  const links = [...README.matchAll(/\]\(#([^)]+)\)/g)].map(([, anchor]) => anchor!);
  const anchors = [...README.matchAll(/^#+ (.*)$/gm)].map(([, title]) =>
    title!.toLowerCase().replaceAll(/[^a-z0-9 -]/g, "").replaceAll(" ", "-")
  );
  assertEquals(links.filter((link) => !anchors.includes(link)), []);
});
