import { assertThrows } from "@std/assert";
import { assertIdentity } from "../../lib/scsi/identity.ts";
import { IDENTITY } from "./fixture.ts";

Deno.test("assertIdentity() accepts a locally assigned NAA and a serial number of up to 64 characters", () => {
  assertIdentity(IDENTITY);
  assertIdentity({ naa: "3ABCDEF012345678", serialNumber: "~".repeat(64) });
});

Deno.test("assertIdentity() throws for any other NAA", () => {
  for (const naa of ["", "6123456789abcdef", "3123456789abcde", "3123456789abcdef0", "3123456789abcdeg"]) {
    assertThrows(() => assertIdentity({ ...IDENTITY, naa }), TypeError, naa);
  }
});

Deno.test("assertIdentity() throws for any other serial number", () => {
  for (const serialNumber of ["", "x".repeat(65), "tab\there", "caf\u00e9"]) {
    assertThrows(() => assertIdentity({ ...IDENTITY, serialNumber }), TypeError, "serial number");
  }
});
