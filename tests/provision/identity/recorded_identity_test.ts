import { assertEquals, assertThrows } from "@std/assert";
import { isOfDisk, parseRecordedIdentity } from "../../../lib/provision/identity/recorded_identity.ts";
import { createdFile, identityNumber } from "../conf.ts";

Deno.test("parseRecordedIdentity() reads an identity with and without the state of its file", () => {
  const entries = [
    identityNumber(1),
    { ...identityNumber(1), ...createdFile(512) },
    { ...identityNumber(1), created: null, sizeBytes: 512 },
    { ...identityNumber(1), created: "2026-10-14T12:00:00Z", sizeBytes: 2 ** 53 - 1 },
  ];
  for (const entry of entries) assertEquals(parseRecordedIdentity("a", entry), entry);
  // What another version may add.
  assertEquals(parseRecordedIdentity("a", { ...identityNumber(1), more: true }), identityNumber(1));
});

Deno.test("parseRecordedIdentity() refuses an incomplete entry", () => {
  const file = { ...identityNumber(1), ...createdFile(512) };
  const rows: readonly (readonly [unknown, string])[] = [
    [undefined, '"a" has no string "naa"'],
    [null, '"a" has no string "naa"'],
    ["text", '"a" has no string "naa"'],
    [[file], '"a" has no string "naa"'],
    [{ ...file, naa: 7 }, '"a" has no string "naa"'],
    [{ ...file, serialNumber: 7 }, '"a" has no string "serialNumber"'],
    [{ ...file, naa: "4000000000000001" }, '"a" has an invalid identity: '],
    [
      { ...file, naa: "5000000000000001" },
      '"a" has an invalid identity: NAA "5000000000000001" is not locally',
    ],
    [{ ...file, naa: `6${"0".repeat(31)}` }, '"a" has an invalid identity: '],
    [{ ...file, created: undefined }, '"a" has no date "created"'],
    [{ ...file, created: 7 }, '"a" has no date "created"'],
    [{ ...file, created: "yesterday" }, '"a" has no date "created"'],
    [{ ...file, created: "2026-10-14" }, '"a" has no date "created"'],
    [{ ...file, sizeBytes: undefined }, '"a" has no number "sizeBytes"'],
    [{ ...file, created: null, sizeBytes: undefined }, '"a" has no number "sizeBytes"'],
    [{ ...file, sizeBytes: "512" }, '"a" has no number "sizeBytes"'],
    [{ ...file, sizeBytes: 0 }, '"a" has no number "sizeBytes"'],
    [{ ...file, sizeBytes: -512 }, '"a" has no number "sizeBytes"'],
    [{ ...file, sizeBytes: 0.5 }, '"a" has no number "sizeBytes"'],
    [{ ...file, sizeBytes: 2 ** 53 }, '"a" has no number "sizeBytes"'],
  ];
  for (const [entry, message] of rows) {
    assertThrows(() => parseRecordedIdentity("a", entry), SyntaxError, message);
  }
});

Deno.test("isOfDisk() is false for a file that is being made", () => {
  const disks = [identityNumber(1), { ...identityNumber(1), ...createdFile(512) }];
  for (const identity of disks) assertEquals(isOfDisk(identity), true);
  for (const identity of [undefined, { ...identityNumber(1), created: null, sizeBytes: 512 }]) {
    assertEquals(isOfDisk(identity), false);
  }
});
