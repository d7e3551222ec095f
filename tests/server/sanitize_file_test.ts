import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { sanitizeFileOf } from "../../lib/provision/state_folder.ts";
import type { SanitizeRecord } from "../../lib/scsi/sanitize_record.ts";
import { openSanitizeFile } from "../../lib/server/sanitize_file.ts";
import { StoreError } from "../../lib/store/block_store.ts";
import { formatState } from "../../lib/store/state_text.ts";
import { withScratch } from "../provision/scratch.ts";
import { KeptLog } from "./_serving.ts";

const BACKING_PATH = "/backing/file";
const NAA = "3123456789ABCDEF";

/** Opens the record of a unit. */
function open(storage: string, { naa = NAA, log = new KeptLog() } = {}): SanitizeRecord {
  return openSanitizeFile(storage, { naa, serialNumber: "1" }, { backingPath: BACKING_PATH, log });
}

Deno.test("openSanitizeFile() makes no file for a unit that was never sanitized", () =>
  withScratch((storage) => {
    const log = new KeptLog();
    assertEquals([open(storage, { log }).unfinished, log.lines], [undefined, []]);
    assertThrows(() => Deno.statSync(sanitizeFileOf(storage, NAA)), Deno.errors.NotFound);
  }));

Deno.test("openSanitizeFile() remembers what did not complete, by whatever case the NAA is written in", () =>
  withScratch(async (storage) => {
    for (const mode of ["restricted", "unrestricted"] as const) {
      await open(storage).keep(mode);
      const log = new KeptLog();
      assertEquals(open(storage, { naa: NAA.toLowerCase(), log }).unfinished, mode);
      assertEquals(log.lines.length, 1);
      assertStringIncludes(log.lines[0]!, `warning: The last SANITIZE of "${BACKING_PATH}" did not complete`);
      await open(storage).keep(undefined);
      const quiet = new KeptLog();
      assertEquals([open(storage, { log: quiet }).unfinished, quiet.lines], [undefined, []]);
    }
    await open(storage).keep("restricted");
    assertEquals(open(storage, { naa: "3123456789abcdee" }).unfinished, undefined);
  }));

Deno.test("openSanitizeFile() knows what was kept from one of its two copies", () =>
  withScratch(async (storage) => {
    const path = sanitizeFileOf(storage, NAA);
    await open(storage).keep("restricted");
    const kept = Deno.readFileSync(path);
    for (const damagedByte of [10, kept.length / 2 + 10]) {
      Deno.writeFileSync(path, kept.with(damagedByte, 0));
      assertEquals(open(storage).unfinished, "restricted");
    }
  }));

Deno.test("openSanitizeFile() names a file that it cannot read, and what that means", () =>
  withScratch(async (storage) => {
    const path = sanitizeFileOf(storage, NAA);
    await open(storage).keep("restricted");
    const texts = [
      ["", "it is not JSON; remove it once"],
      ["[7]", "it is not a JSON object; remove it once"],
      ['{"version":2,"unfinished":null}', "it has no checksum; remove it once"],
      [formatState({ version: 2, body: {} }), 'its "unfinished" is no completion mode; remove it once'],
      [
        formatState({ version: 2, body: { unfinished: "maybe" } }),
        'its "unfinished" is no completion mode; remove it once',
      ],
      [
        formatState({ version: 3, body: { unfinished: null } }),
        "use the version of the program that wrote it",
      ],
    ] as const;
    for (const [text, reason] of texts) {
      Deno.writeTextFileSync(path, text);
      const { message } = assertThrows(() => open(storage), StoreError, reason, text);
      assertStringIncludes(message, `"${path}"`);
    }
  }));
