import { assertEquals, assertMatch } from "@std/assert";
import { randomIdentity } from "../../../lib/provision/identity/random_identity.ts";

Deno.test("randomIdentity() is of the right form and never the same", () => {
  const identities = Array.from({ length: 1000 }, randomIdentity);
  for (const { naa, serialNumber } of identities) {
    assertMatch(naa, /^3[0-9a-f]{15}$/);
    assertMatch(serialNumber, /^[0-9a-z]{20}$/);
  }
  assertEquals(new Set(identities.map((identity) => identity.naa)).size, identities.length);
  assertEquals(new Set(identities.map((identity) => identity.serialNumber)).size, identities.length);
});

Deno.test("randomIdentity() leaves no position of either text constant", () => {
  const identities = Array.from({ length: 200 }, randomIdentity);
  for (let position = 0; position < 20; position++) {
    const digits = new Set(identities.map(({ naa }) => naa[position + 1]));
    const characters = new Set(identities.map(({ serialNumber }) => serialNumber[position]));
    if (position < 15) assertEquals(digits.size > 8, true, `digit ${position + 1} of the NAA`);
    assertEquals(characters.size > 16, true, `character ${position} of the serial number`);
  }
});
