/** The longest value that each option takes, and that one more is too many. */
import { assertEquals } from "@std/assert";
import { isAccountOf } from "../../lib/config/chap.ts";
import { quote } from "../../lib/config/diagnostics.ts";
import { foldIscsiName } from "../../lib/config/iscsi_name.ts";
import { nearestWord } from "../../lib/config/nearest_word.ts";
import { parseConfig } from "../../lib/config/parse_config.ts";
import { Secret } from "../../lib/config/secret.ts";
import { parseSize } from "../../lib/config/size.ts";

/** The messages about a target with these lines, of 1 MB unless they say another size. */
function messagesOf(...lines: readonly string[]): string[] {
  const size = lines.some((line) => line.startsWith("size=")) ? [] : ["size=1MB"];
  const text = ["[a]", ...size, ...lines].join("\n");
  return parseConfig(text, { file: "conf" }).diagnostics.map(({ message }) => message);
}

/** Lines with a value that is as long as may be, and the same with one unit more. */
const LONGEST: readonly (readonly [line: string, excess: string])[] = [
  [`size=${"1MB ".repeat(255)}1MB`, " 1MB"],
  [`size=1.${"0".repeat(40)}GB`, ""],
  [`size=${"0".repeat(38)}1GB`, ""],
  [`comment=${"c".repeat(255)}`, "c"],
  [`comment=${"\u00e9".repeat(127)}c`, "c"],
  [`file=${"f".repeat(250)}`, "f"],
  [`file=d/${"f".repeat(250)}`, "f"],
  [`alias=${"a".repeat(223 - "iqn.2002-08.info.netmanager:".length)}`, "a"],
  [`vendor=${"v".repeat(8)}`, "v"],
  [`product=${"p".repeat(16)}`, "p"],
  [`revision=${"r".repeat(4)}`, "r"],
  [`serial=${"s".repeat(64)}`, "s"],
];

Deno.test("parseConfig() takes the longest value of an option, and none that is longer", () => {
  for (const [line, excess] of LONGEST) {
    assertEquals(messagesOf(line), [], line);
    if (excess !== "") assertEquals(messagesOf(line + excess).length, 1, line);
  }
  assertEquals(messagesOf("secret=bobsecret123", `user=${"u".repeat(255)}`).length, 0);
  assertEquals(messagesOf("secret=bobsecret123", `user=${"u".repeat(256)}`).length, 1);
});

Deno.test("parseSize() reads up to 40 digits before and behind the point", () => {
  const problem = "write at most 40 digits";
  const zeros = "0".repeat(39);
  assertEquals(parseSize(`${zeros}1.${zeros}0GB`), { sizeBytes: 2 ** 30, problem: undefined });
  assertEquals(parseSize(`0${zeros}1GB`).problem, problem);
  assertEquals(parseSize(`1.${zeros}00GB`).problem, problem);
});

Deno.test("quote() shows 120 characters whole", () => {
  assertEquals(quote("x".repeat(120)), `"${"x".repeat(120)}"`);
});

Deno.test("foldIscsiName() folds up to four times the length of the longest name, and leaves longer texts", () => {
  assertEquals(foldIscsiName("A".repeat(892)), "a".repeat(892));
  assertEquals(foldIscsiName("A".repeat(893)), "A".repeat(893));
});

Deno.test("nearestWord() forgives a slip in every three letters", () => {
  const rows = [
    ["a", "b", false],
    ["ax", "ab", true],
    ["abxx", "abcd", false],
    ["abcxx", "abcde", true],
    ["abxxx", "abcde", false],
    ["abcdexxx", "abcdefgh", true],
    ["abcdxxxx", "abcdefgh", false],
  ] as const;
  for (const [word, meant, isFound] of rows) {
    assertEquals(nearestWord(word, [meant]), isFound ? meant : undefined, word);
  }
});

Deno.test("parseConfig() names the first of three that are equal, not the second", () => {
  const duplicate = 'Duplicate option "comment": line 3 has it already; remove one of them';
  assertEquals(messagesOf("comment=a", "comment=b", "comment=c"), [duplicate, duplicate]);
  const readFile = () => ({ text: "bob bobsecret1234\nbob bobsecret1235\nbob bobsecret1236", mode: 0o600 });
  const { diagnostics } = parseConfig("[a]\nsize=1MB\nsecrets=/s", { file: "conf", readFile });
  const name = "Duplicate name: line 1 has it already; remove one of them";
  assertEquals(diagnostics.map(({ message }) => message), [name, name]);
});

Deno.test("isAccountOf() admits all initiators to an unbound account, and the named ones to a bound account", () => {
  const account = { name: "bob", secret: new Secret(new Uint8Array(12)) };
  const rows = [[[], true], [["iqn.a"], true], [["iqn.b", "iqn.a"], true], [["iqn.b"], false]] as const;
  for (const [initiators, isAdmitted] of rows) {
    assertEquals(isAccountOf({ ...account, initiators }, "iqn.a"), isAdmitted, initiators.join());
  }
});

Deno.test("parseConfig() takes 10,000 names of a file of secrets, and none more", () => {
  const names = Array.from({ length: 10_000 }, (_, index) => `name${index} secret-of-${1000 + index}`);
  const messages = (lines: readonly string[]): string[] => {
    const readFile = () => ({ text: lines.join("\n"), mode: 0o600 });
    const { diagnostics } = parseConfig("[a]\nsize=1MB\nsecrets=/s", { file: "conf", readFile });
    return diagnostics.map(({ file, line, message }) => `${file}:${line}: ${message}`);
  };
  assertEquals(messages(names), []);
  const excess = "/s:10001: Too many names: a file can have at most 10000";
  assertEquals(messages([...names, "more secret-of-more", "most secret-of-most"]), [excess]);
});
