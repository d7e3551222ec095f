/** The README and the pages that it names agree with the program's own tables. */
import { assert, assertEquals } from "@std/assert";
import { fromFileUrl } from "@std/path";
import denoConfig from "../../deno.json" with { type: "json" };
import { parseCommandLine } from "../../lib/cli/parse_command_line.ts";
import { parseConfig } from "../../lib/config/parse_config.ts";

const ROOT = new URL("../../", import.meta.url);
const README = read("README.md");

/** The pages for people, each with links. */
const PAGES = ["README.md", "lib/ARCHITECTURE.md", "tests/bench/README.md", "CHANGELOG.md"];

function read(path: string): string {
  return Deno.readTextFileSync(new URL(path, ROOT));
}

/** Returns a section, from its heading to the next of the same level. */
function section(title: string): string {
  const start = README.indexOf(`\n## ${title}\n`);
  assert(start >= 0, `no section ${title}`);
  const length = README.slice(start + 1).indexOf("\n## ");
  return README.slice(start, length < 0 ? undefined : start + 1 + length);
}

Deno.test("the README has at most 200 lines of 100 columns", () => {
  const lines = README.trimEnd().split("\n");
  assert(lines.length <= 200, `${lines.length} lines`);
  assertEquals(lines.filter((line) => line.length > 100), []);
});

Deno.test("the README's commands are commands", () => {
  const lines = [...README.matchAll(/^ {4}iscsi (.*)$/gm)].map(([, line]) => line!.replace(/ +[#>].*$/, ""));
  assert(lines.length >= 8);
  for (const line of lines) assertEquals(parseCommandLine(line.split(" ")).kind, "run", line);
});

Deno.test("the README's conf is a good conf", () => {
  const [block = ""] = /^ {4}storage=(?:.*\n)(?: {4}.*\n|\n(?= {4}))*/m.exec(README) ?? [];
  const { config, diagnostics } = parseConfig(block.replaceAll(/^ {4}/gm, ""), { file: "README.md" });
  assertEquals(diagnostics, []);
  assertEquals(config?.targets.map(({ logicalUnits }) => logicalUnits.length), [2]);
});

Deno.test("the README has every task", () => {
  const tasks = [...section("Development").matchAll(/^ {4}deno task (\w+)/gm)].map(([, name]) => name);
  assertEquals(tasks.toSorted(), Object.keys(denoConfig.tasks).toSorted());
});

/** The anchors of a page's headings. */
function anchorsOf(text: string): string[] {
  return [...text.matchAll(/^#+ (.*)$/gm)].map(([, title]) =>
    title!.toLowerCase().replaceAll(/[^a-z0-9 -]/g, "").replaceAll(" ", "-")
  );
}

Deno.test("the links of the pages lead to files and sections that there are", () => {
  for (const page of PAGES) {
    const links = [...read(page).matchAll(/\]\(([^)]+)\)/g)].map(([, link]) => link!);
    for (const link of links.filter((link) => !/^\w+:/.test(link))) {
      const [path, anchor] = link.split("#") as [string, string?];
      const url = path === "" ? new URL(page, ROOT) : new URL(path, new URL(page, ROOT));
      assert(Deno.statSync(fromFileUrl(url)).isFile, `${page}: ${link}`);
      if (anchor !== undefined) {
        assert(anchorsOf(Deno.readTextFileSync(url)).includes(anchor), `${page}: ${link}`);
      }
    }
  }
});

Deno.test("the files that the pages name in backquotes exist", () => {
  for (const page of PAGES.filter((page) => page !== "CHANGELOG.md")) {
    const paths = [...read(page).matchAll(/`((?:lib|tests|dist)\/[\w./]+\.\w+)`/g)].map(([, path]) => path!);
    for (const path of paths) assert(Deno.statSync(new URL(path, ROOT)).isFile, `${page}: ${path}`);
  }
});

Deno.test("the table of floors in lib/ARCHITECTURE.md has every folder of lib, lib/iscsi and lib/server", () => {
  const rows = read("lib/ARCHITECTURE.md").split("\n").filter((line) => line.startsWith("| `")).join("\n");
  for (const parent of ["lib", "lib/iscsi", "lib/server"]) {
    for (const { name, isDirectory } of Deno.readDirSync(new URL(`${parent}/`, ROOT))) {
      if (isDirectory) assert(rows.includes(`\`${parent}/${name}\``), `${parent}/${name}`);
    }
  }
});
