import { assert, assertEquals } from "@std/assert";
import { OPTION_NAMES } from "../../lib/config/options.ts";
import { parseConfig } from "../../lib/config/parse_config.ts";
import { seededRandom } from "../support/seeded_random.ts";

const VALID = `# All options
storage = /data/iscsi
node = iqn.2020-01.com.example:box
sessions = 16
connections = 4
port = 860
networks = 10.0.0.0/8
initiators = iqn.2011-07.com.example:a

[first]
size = 750GB 1.5TB 512
file = disks/first.img
comment = "The first" one
alias = one

[second]
size = 500MB
readonly = y
networks = 192.168.100.7 fd00:1::/64
initiators = eui.02004567a425678d
`;

const PIECES = [
  ...[
    "\n",
    "\r",
    "\r\n",
    "\t",
    " ",
    "=",
    "[",
    "]",
    "#",
    ";",
    "//",
    '"',
    "'",
    ",",
    ".",
    "..",
    "/",
    "_1",
    "\\",
  ],
  ...[
    "\0",
    "\x1b",
    "\ufeff",
    "\u2028",
    "\u00e4",
    "\ud800",
    "\u{1f600}",
    "1",
    "0",
    "-1",
    "1e9",
    "999999999999999",
  ],
  ...[
    "GB",
    "mb",
    "TB",
    "10.0.0.1",
    "/24",
    "::1",
    "%eth0",
    "iqn.2011-07.com.example:a",
    "eui.",
    "y",
    "__proto__",
  ],
  ...["[first]", "[A]", "\nsize=1GB\n", "\nfile=", ".iscsi", "a", "z"],
  ...OPTION_NAMES,
];

function randomPieces(next: (below: number) => number, count: number): string {
  return Array.from({ length: count }, () => PIECES[next(PIECES.length)]!).join("");
}

/** The valid conf with a few pieces put in, taken out or copied from elsewhere. */
function mutated(next: (below: number) => number): string {
  let text = VALID;
  for (let edits = 1 + next(4); edits > 0; edits--) {
    const start = next(text.length + 1);
    const end = start + next(12);
    const from = next(text.length + 1);
    const inserted = ["", randomPieces(next, 1 + next(3)), text.slice(from, from + next(40))][next(3)]!;
    text = text.slice(0, start) + inserted + text.slice(next(2) === 0 ? start : end);
  }
  return text;
}

/** Asserts the properties that hold for every text. */
function checkParsing(text: string): "good" | "bad" {
  const { config, diagnostics } = parseConfig(text, { file: "conf" });
  const lineCount = text.split(/\r\n|\r|\n/).length;
  for (const { line, file, message } of diagnostics) {
    assert(Number.isInteger(line) && line >= 1 && line <= lineCount, `line ${line} of ${lineCount}`);
    assertEquals(file, "conf");
    assert(/^[A-Z][^\n]*[^.\n]$/.test(message), message);
  }
  const hasErrors = diagnostics.some(({ severity }) => severity === "error");
  assertEquals(config === undefined, hasErrors);
  const paths = config?.targets.flatMap(({ logicalUnits }) => logicalUnits.map(({ path }) => path)) ?? [];
  assertEquals(new Set(paths).size, paths.length);
  for (const target of config?.targets ?? []) {
    assert(/^[a-z0-9\-.:]+$/.test(target.name) && target.iscsiName.length <= 223, target.name);
    for (const { path, sizeBytes } of target.logicalUnits) {
      assert(path.startsWith("/") && !/\/\.{0,2}(\/|$)/.test(path), path);
      assert(sizeBytes > 0 && sizeBytes % 512 === 0 && sizeBytes <= 2 ** 53, String(sizeBytes));
    }
  }
  return hasErrors ? "bad" : "good";
}

/** Runs `make` for many seeds; a failure names the seed and the text. */
function fuzz(make: (next: (below: number) => number) => string): Record<"good" | "bad", number> {
  const counts = { good: 0, bad: 0 };
  for (let seed = 1; seed <= 500; seed++) {
    const text = make(seededRandom(seed));
    try {
      counts[checkParsing(text)]++;
    } catch (error) {
      throw new Error(`Seed ${seed} fails with ${JSON.stringify(text)}`, { cause: error });
    }
  }
  return counts;
}

Deno.test("parseConfig() copes with random text", () => {
  const { bad } = fuzz((next) => randomPieces(next, next(60)));
  assert(bad > 450, `only ${bad} texts are bad`);
});

Deno.test("parseConfig() copes with a damaged conf", () => {
  const { good, bad } = fuzz(mutated);
  assert(good > 25 && bad > 150, `${good} texts are good, ${bad} bad`);
});

Deno.test("parseConfig() copes with every prefix of a conf", () => {
  for (let length = 0; length <= VALID.length; length++) checkParsing(VALID.slice(0, length));
  assertEquals(checkParsing(VALID), "good");
});

Deno.test("parseConfig() takes time in proportion to the length of a text", () => {
  const start = performance.now();
  for (const piece of ["a ", " ", "=", "[", '"', "size ", "1 ", "\t#", "1GB ", ":", ".", "/", "a="]) {
    for (
      const option of ["comment", "networks=", "initiators=iqn.2001-04", "node=", "[a]\nsize=", "[a]\nfile="]
    ) {
      parseConfig(`${option}${piece.repeat(5_000)}!`, { file: "conf" });
    }
  }
  // In proportion these take well below a second; in proportion to the square, minutes.
  assert(performance.now() - start < 10_000);
});
