import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { sanitizeFileOf, workerPlaceOf } from "../../../lib/provision/state_folder.ts";
import { commandOf, openSanitizeFile, type SanitizeFile } from "../../../lib/server/target/sanitize_file.ts";
import { StoreError } from "../../../lib/store/block_store.ts";
import { formatState, NewerStateError, parseState } from "../../../lib/store/state_text.ts";
import { TwinFile } from "../../../lib/store/twin_file.ts";
import { withScratch } from "../../provision/scratch.ts";

const BACKING_PATH = "/backing/file";
const NAA = "3123456789ABCDEF";

/** Opens the record of a unit. */
function open(storage: string, naa = NAA): SanitizeFile {
  return openSanitizeFile(workerPlaceOf(storage), { naa, serialNumber: "1" }, BACKING_PATH);
}

Deno.test("openSanitizeFile() makes no file for a unit that was never sanitized", () =>
  withScratch((storage) => {
    assertEquals(open(storage).unfinished, undefined);
    assertThrows(() => Deno.statSync(sanitizeFileOf(workerPlaceOf(storage), NAA)), Deno.errors.NotFound);
  }));

Deno.test("openSanitizeFile() remembers what did not complete, by whatever case the NAA is written in", () =>
  withScratch(async (storage) => {
    for (const mode of ["restricted", "unrestricted", "format"] as const) {
      await open(storage).keep(mode);
      const { unfinished, problem } = open(storage, NAA.toLowerCase());
      assertEquals(unfinished, mode);
      assertStringIncludes(problem!, `The last ${commandOf(mode)} of "${BACKING_PATH}" did not complete`);
      await open(storage).keep(undefined);
      const after = open(storage);
      assertEquals([after.unfinished, after.problem], [undefined, undefined]);
    }
    await open(storage).keep("restricted");
    assertEquals(open(storage, "3123456789abcdee").unfinished, undefined);
  }));

/** Reads the record as the program before FORMAT UNIT does, which knows version 2. */
function readAsOlderProgram(storage: string): unknown {
  return parseState(new TwinFile(sanitizeFileOf(workerPlaceOf(storage), NAA)).read().text!, 2)
    .body["unfinished"];
}

Deno.test("an older program reads the record of a SANITIZE, and refuses that of a FORMAT UNIT as newer", () =>
  withScratch(async (storage) => {
    const file = open(storage);
    await file.keep("unrestricted");
    assertEquals(readAsOlderProgram(storage), "unrestricted");
    await file.keep("format");
    assertThrows(() => readAsOlderProgram(storage), NewerStateError);
    await file.keep(undefined);
    assertEquals(readAsOlderProgram(storage), null);
  }));

Deno.test("commandOf() names the command of each operation", () => {
  assertEquals([commandOf("restricted"), commandOf("format")], ["SANITIZE", "FORMAT UNIT"]);
});

Deno.test("openSanitizeFile() knows what was kept from one of its two copies", () =>
  withScratch(async (storage) => {
    const path = sanitizeFileOf(workerPlaceOf(storage), NAA);
    await open(storage).keep("restricted");
    const kept = Deno.readFileSync(path);
    for (const damagedByte of [10, kept.length / 2 + 10]) {
      Deno.writeFileSync(path, kept.with(damagedByte, 0));
      assertEquals(open(storage).unfinished, "restricted");
    }
  }));

Deno.test("openSanitizeFile() names a file that it cannot read, and what that means", () =>
  withScratch(async (storage) => {
    const path = sanitizeFileOf(workerPlaceOf(storage), NAA);
    await open(storage).keep("restricted");
    const texts = [
      ["", "it is not JSON; remove it once"],
      ["[7]", "it is not a JSON object; remove it once"],
      ['{"version":2,"unfinished":null}', "it has no checksum; remove it once"],
      [formatState({ version: 2, body: {} }), 'its "unfinished" is no operation; remove it once'],
      [
        formatState({ version: 2, body: { unfinished: "maybe" } }),
        'its "unfinished" is no operation; remove it once',
      ],
      [
        formatState({ version: 4, body: { unfinished: null } }),
        "use the version of the program that wrote it",
      ],
    ] as const;
    for (const [text, reason] of texts) {
      Deno.writeTextFileSync(path, text);
      const { message } = assertThrows(() => open(storage), StoreError, reason, text);
      assertStringIncludes(message, `"${path}"`);
    }
  }));
