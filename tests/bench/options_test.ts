import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { checkCount, checkPattern, checkSeconds, parseOptions } from "./options.ts";

const TABLE = {
  json: { help: "print JSON" },
  jobs: { value: "PATTERN", help: "only some", default: "", check: checkPattern },
  rounds: { value: "N", help: "how often", default: "5", check: checkCount },
  seconds: { value: "S", help: "how long", default: "2", check: checkSeconds },
} as const;

function parse(...args: string[]): ReturnType<typeof parseOptions<typeof TABLE>> {
  return parseOptions("deno task bench [OPTION...]", TABLE, args);
}

Deno.test("parseOptions() gives what is told and the defaults of the rest, with and without a -- before", () => {
  const values = { json: false, jobs: "", rounds: "5", seconds: "2" };
  for (const [line, told] of [["", {}], ["--json --seconds 0.5", { json: true, seconds: "0.5" }]] as const) {
    const args = line.split(" ").filter((word) => word !== "");
    for (const given of [args, ["--", ...args]]) {
      const parsed = parse(...given);
      assert(parsed.kind === "values");
      for (const [name, value] of Object.entries({ ...values, ...told })) {
        assertEquals([name, (parsed.values as Record<string, unknown>)[name]], [name, value]);
      }
    }
  }
});

Deno.test("parseOptions() lists all options for --help, and for one that there is not", () => {
  const help = parse("--json", "--help");
  assert(help.kind === "help");
  for (const part of ["Usage: deno task bench", "--json ", "--jobs PATTERN", "how often (5)", "--help"]) {
    assertStringIncludes(help.text, part);
  }
  for (const argument of ["--round", "--onyl=x", "fast"]) {
    const wrong = parse("--rounds", "1", argument);
    assert(wrong.kind === "wrong");
    assertStringIncludes(wrong.text, argument);
    assertStringIncludes(wrong.text, help.text);
  }
});

Deno.test("parseOptions() says what to write in place of a value that is none", () => {
  const wrong = { rounds: ["0", "-1", "x", "1.5", ""], seconds: ["0", "x", "-2", ""], jobs: ["("] };
  for (const [name, values] of Object.entries(wrong)) {
    for (const value of values) {
      const parsed = parse(`--${name}=${value}`);
      assert(parsed.kind === "wrong", `--${name}=${value}`);
      assertStringIncludes(parsed.text, `Cannot use --${name} "${value}": write a`);
    }
  }
});
