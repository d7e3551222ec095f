import { assertEquals } from "@std/assert";
import { parseArgs } from "@std/cli/parse-args";

Deno.test("@std/cli parseArgs() knows strings, booleans, lists, aliases and defaults", () => {
  const args = parseArgs(["-c", "007", "--json", "--set", "a=1", "--set=b", "serve", "--", "--x"], {
    boolean: ["json", "quiet"],
    string: ["conf", "log", "level", "set"],
    collect: ["set"],
    alias: { c: "conf" },
    default: { level: "info" },
  });
  const typed: { conf?: string; log?: string; level: string; json: boolean; quiet: boolean; set: string[] } =
    args;
  assertEquals(typed.conf, "007");
  assertEquals(typed.log, undefined);
  assertEquals(typed.level, "info");
  assertEquals(typed.json, true);
  assertEquals(typed.quiet, false);
  assertEquals(typed.set, ["a=1", "b"]);
  assertEquals(args._, ["serve", "--x"]);
});

Deno.test("@std/cli parseArgs() gives an empty string to an option without value, and takes the last of two", () => {
  const { conf, log } = parseArgs(["--conf", "a", "--conf=b", "--log"], { string: ["conf", "log"] });
  assertEquals(conf, "b");
  assertEquals(log, "");
});

Deno.test("@std/cli parseArgs() keeps arguments text when string names _", () => {
  // Upstream types the arguments wrongly then.
  const args: unknown = parseArgs(["007", "1e3"], { string: ["_"] });
  assertEquals(args, { _: ["007", "1e3"] });
  assertEquals(parseArgs(["007"])._, [7]);
});

Deno.test("@std/cli parseArgs() stops at the first argument when told so", () => {
  const args = parseArgs(["--json", "status", "--json", "-x"], { boolean: ["json"], stopEarly: true });
  assertEquals(args._, ["status", "--json", "-x"]);
});

Deno.test("@std/cli parseArgs() asks about unknown options and arguments", () => {
  const unknown: unknown[] = [];
  const args = parseArgs(["build", "--jsn", "--conf=x", "-q"], {
    boolean: ["json"],
    string: ["conf"],
    unknown(arg, key): boolean {
      unknown.push([arg, key]);
      return key === undefined;
    },
  });
  assertEquals(unknown, [["build", undefined], ["--jsn", "jsn"], ["-q", "q"]]);
  assertEquals<unknown>(args, { _: ["build"], json: false, conf: "x" });
});
