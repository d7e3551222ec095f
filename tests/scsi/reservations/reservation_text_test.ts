import { assertEquals, assertThrows } from "@std/assert";
import { type PersistentState, UNRESERVED } from "../../../lib/scsi/reservations/persistent_state.ts";
import { isReservationType, RESERVATION_TYPES } from "../../../lib/scsi/reservations/reservation_types.ts";
import { formatState, NewerStateError } from "../../../lib/store/state_text.ts";
import { formatReservations, parseReservations } from "../../../lib/scsi/reservations/reservation_text.ts";

const PORT = "iqn.2007-01.tld.a:b,i,0x400001370000";

/** A key that a `number` would round. */
const KEY = "ffffffffffffff01";

const STATE: PersistentState = {
  generation: 7,
  persists: true,
  registrations: new Map([[`1,${PORT}`, { initiatorPort: PORT, targetPort: 1, key: KEY }]]),
  reservation: { type: "exclusiveAccess", holder: `1,${PORT}` },
};

const TEXT = formatReservations(STATE);

Deno.test("parseReservations() reads what formatReservations() writes, but for PRGENERATION", () => {
  assertEquals(parseReservations(TEXT), { ...STATE, generation: 0 });
  const all = { type: "writeExclusiveAllRegistrants", holder: undefined } as const;
  const shared = { ...STATE, generation: 0, reservation: all };
  assertEquals(parseReservations(formatReservations(shared)), shared);
});

Deno.test("parseReservations() reads back the ports of initiators with odd names", () => {
  for (const rest of ["web server 1", "vm(1), $x", 'a "b" \\', "b\u00fcro \u732b", "strasse"]) {
    const initiatorPort = `iqn.2008-11.org.linux-kvm:${rest},i,0x400001370000`;
    const registration = { initiatorPort, targetPort: 1, key: KEY };
    const state: PersistentState = {
      ...STATE,
      generation: 0,
      registrations: new Map([[`1,${initiatorPort}`, registration]]),
      reservation: { type: "exclusiveAccess", holder: `1,${initiatorPort}` },
    };
    assertEquals(parseReservations(formatReservations(state)), state);
  }
});

Deno.test("formatReservations() saves nothing of a state that does not persist", () => {
  assertEquals(parseReservations(formatReservations({ ...STATE, persists: false })), UNRESERVED);
});

/** Returns the text with a word replaced, and a checksum that matches. */
function altered(found: string, replacement: string): string {
  const { checksum: _, ...rest } = JSON.parse(TEXT);
  const text = JSON.stringify(rest).replace(found, replacement);
  assertEquals(text === JSON.stringify(rest), false, found);
  const { version, ...body } = JSON.parse(text);
  return formatState({ version, body });
}

Deno.test("parseReservations() reads a text of version 1, and none of a later version than its own", () => {
  const { checksum: _, ...rest } = JSON.parse(TEXT);
  assertEquals(parseReservations(JSON.stringify({ ...rest, version: 1 })), { ...STATE, generation: 0 });
  assertThrows(() => parseReservations(altered('"version":2', '"version":3')), NewerStateError, "version 3");
});

Deno.test("parseReservations() takes relative target port identifiers from 1 to 65535, and no others", () => {
  for (const targetPort of [2, 65_535]) {
    const { registrations } = parseReservations(altered('"targetPort":1', `"targetPort":${targetPort}`));
    assertEquals([...registrations.values()].map((registration) => registration.targetPort), [targetPort]);
  }
  for (const text of ["0", "65536", "1.5", '"1"']) {
    const wrong = altered('"targetPort":1', `"targetPort":${text}`);
    assertThrows(() => parseReservations(wrong), SyntaxError, "target port", text);
  }
});

Deno.test("formatReservations() makes a text whose length depends on the registrations alone", () => {
  const types = Object.keys(RESERVATION_TYPES).filter(isReservationType);
  const holders = [undefined, `1,${PORT}`];
  const reservations = [
    undefined,
    ...types.flatMap((type) => holders.map((holder) => ({ type, holder }))),
  ];
  const lengths = reservations.map((reservation) => formatReservations({ ...STATE, reservation }).length);
  assertEquals(new Set(lengths).size, 1);
  const none = formatReservations({ ...STATE, registrations: new Map(), reservation: undefined });
  assertEquals([none.length, none.length < lengths[0]!], [formatReservations(UNRESERVED).length, true]);
});

Deno.test("parseReservations() refuses every invalid text", () => {
  const whole = TEXT.trimEnd().length;
  for (let length = 0; length < whole; length++) {
    assertThrows(() => parseReservations(TEXT.slice(0, length)), SyntaxError);
  }
  for (let index = 0; index < whole; index++) {
    if (!/\d/.test(TEXT[index]!)) continue;
    const digit = TEXT[index] === "1" ? "2" : "1";
    const flipped = TEXT.slice(0, index) + digit + TEXT.slice(index + 1);
    assertThrows(() => parseReservations(flipped), SyntaxError, undefined, flipped);
  }
  const wrongs: readonly (readonly [found: string, replacement: string, message: string])[] = [
    ['"persists":true', '"persists":1', "persists"],
    ['"persists":true', '"persists":false', '"persists" is false'],
    ["iqn.2007", "iqn.X", "initiator port"],
    ["0x400001370000", "0x40000137000", "initiator port"],
    ['"targetPort":1', '"targetPort":0', "target port"],
    [KEY, "0000000000000000", "key"],
    [KEY, "FFFFFFFFFFFFFF01", "key"],
    [`"${KEY}"`, "1", "key"],
    ["exclusiveAccess", "toString", "type"],
    ['"holder":0', '"holder":1', "has no registered holder"],
    ['"holder":0', '"holder":null', "has no registered holder"],
    ["exclusiveAccess", "exclusiveAccessAllRegistrants", "has no registered holder"],
  ];
  for (const [found, replacement, message] of wrongs) {
    const text = altered(found, replacement);
    assertThrows(() => parseReservations(text), SyntaxError, message, `${found} -> ${replacement}`);
  }
  const withoutHolder = { type: "exclusiveAccessAllRegistrants", holder: undefined } as const;
  const empty = formatReservations({ ...STATE, registrations: new Map(), reservation: withoutHolder });
  assertThrows(() => parseReservations(empty), SyntaxError, "has no registered holder");
  const incomplete = formatState({ version: 2, body: { persists: true } });
  for (const text of ["null", "[]", '"a"', '{"version":1,"persists":true}', incomplete]) {
    assertThrows(() => parseReservations(text), SyntaxError);
  }
});
