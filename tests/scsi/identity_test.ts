import { assertThrows } from "@std/assert";
import { assertIdentity } from "../../lib/scsi/identity.ts";
import { IDENTITY } from "./fixture.ts";

Deno.test("assertIdentity() accepts an NAA of each type and a serial number of up to 64 characters", () => {
  assertIdentity(IDENTITY);
  for (const naa of ["2123456789abcdef", "5123456789abcdef", `6${"f".repeat(31)}`]) {
    assertIdentity({ ...IDENTITY, naa });
  }
  assertIdentity({ naa: "3ABCDEF012345678", serialNumber: "~".repeat(64) });
});

Deno.test("assertIdentity() throws for any other NAA", () => {
  const wide = "0".repeat(31);
  for (
    const naa of [
      `3${wide}`,
      `4${wide.slice(16)}`,
      `6${wide}0`,
      "",
      "6123456789abcdef",
      "3123456789abcde",
      "3123456789abcdef0",
      "3123456789abcdeg",
    ]
  ) {
    assertThrows(() => assertIdentity({ ...IDENTITY, naa }), TypeError, naa);
  }
});

Deno.test("assertIdentity() throws for any other serial number", () => {
  for (const serialNumber of ["", "x".repeat(65), "tab\there", "caf\u00e9"]) {
    assertThrows(() => assertIdentity({ ...IDENTITY, serialNumber }), TypeError, "serial number");
  }
});
