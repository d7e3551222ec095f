import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { formatState, isIntactState, NewerStateError, parseState } from "../../lib/store/state_text.ts";

const BODY = { luns: { "10": { naa: "3123456789abcdef" }, "b": "\u00fc" }, list: [1, null, true] };
const TEXT = formatState({ version: 2, body: BODY });

Deno.test("parseState() reads what formatState() writes, however it is indented", () => {
  assertEquals(parseState(TEXT, 2), { version: 2, body: BODY });
  assertEquals(parseState(JSON.stringify(JSON.parse(TEXT)), 3), { version: 2, body: BODY });
  assertEquals(isIntactState(TEXT), true);
});

Deno.test("formatState() writes the version, the checksum and the body, a key a line", () => {
  assertEquals(
    formatState({ version: 2, body: { a: 1 } }),
    '{\n  "version": 2,\n  "checksum": "c1e13886",\n  "a": 1\n}\n',
  );
});

Deno.test("parseState() detects every changed character but white space", () => {
  for (const [index, character] of [...TEXT].entries()) {
    const changed = TEXT.slice(0, index) + (character === "7" ? "8" : "7") + TEXT.slice(index + 1);
    // White space between two tokens cannot become a digit, because the result is not JSON.
    assertThrows(() => parseState(changed, 2), SyntaxError, undefined, changed);
    assertEquals(isIntactState(changed), false);
  }
});

Deno.test("parseState() accepts only version 1 without a checksum", () => {
  assertEquals(parseState('{"version":1,"a":2}', 2), { version: 1, body: { a: 2 } });
  assertEquals(isIntactState('{"version":1,"a":2}'), false);
  assertThrows(() => parseState('{"version":2,"a":2}', 2), SyntaxError, "it has no checksum");
  assertThrows(() => parseState(TEXT.replace('"version": 2', '"version": 1'), 2), SyntaxError, "checksum");
});

Deno.test("parseState() distinguishes a newer version from a damaged text", () => {
  const newer = formatState({ version: 7, body: BODY });
  const { message } = assertThrows(() => parseState(newer, 2), NewerStateError);
  assertStringIncludes(
    message,
    "it has version 7, and this program supports versions up to 2; use the version",
  );
  assertEquals(isIntactState(newer), true);
  // A flipped digit makes no newer version.
  assertThrows(() => parseState(TEXT.replace('"version": 2', '"version": 3'), 2), SyntaxError, "checksum");
});

Deno.test("parseState() refuses any other text", () => {
  const rows = [
    ["", "it is not JSON"],
    ["{", "it is not JSON"],
    ["null", "it is not a JSON object"],
    ["[]", "it is not a JSON object"],
    ['"a"', "it is not a JSON object"],
    ["{}", "its version is undefined"],
    ['{"version":"1"}', 'its version is "1"'],
    ['{"version":0}', "its version is 0"],
    ['{"version":1.5}', "its version is 1.5"],
  ] as const;
  for (const [text, message] of rows) {
    assertEquals(assertThrows(() => parseState(text, 2), SyntaxError).message, message, text);
  }
});
