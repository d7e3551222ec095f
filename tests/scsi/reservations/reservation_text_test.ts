import { assertEquals, assertThrows } from "@std/assert";
import { type PersistentState, UNRESERVED } from "../../../lib/scsi/reservations/persistent_state.ts";
import { formatReservations, parseReservations } from "../../../lib/scsi/reservations/reservation_text.ts";

const PORT = "iqn.2007-01.tld.a:b,i,0x400001370000";

/** A key that no number holds exactly. */
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

Deno.test("formatReservations() keeps nothing of a state that is not to persist", () => {
  assertEquals(parseReservations(formatReservations({ ...STATE, persists: false })), UNRESERVED);
});

Deno.test("parseReservations() refuses every text that is not one of ours", () => {
  for (let length = 0; length < TEXT.trimEnd().length; length++) {
    assertThrows(() => parseReservations(TEXT.slice(0, length)), SyntaxError);
  }
  const wrongs: readonly (readonly [found: string, replacement: string, message: string])[] = [
    ['"version": 1', '"version": 2', "version"],
    ['"persists": true', '"persists": 1', "persists"],
    ['"persists": true', '"persists": false', "not to be kept"],
    ["iqn.2007", "iqn.X", "initiator port"],
    ["0x400001370000", "0x40000137000", "initiator port"],
    ['"targetPort": 1', '"targetPort": 0', "target port"],
    [KEY, "0000000000000000", "key"],
    [KEY, "FFFFFFFFFFFFFF01", "key"],
    [`"${KEY}"`, "1", "key"],
    ["exclusiveAccess", "toString", "type"],
    ['"holder": 0', '"holder": 1', "nobody"],
    ['"holder": 0', '"holder": null', "nobody"],
    ["exclusiveAccess", "exclusiveAccessAllRegistrants", "nobody"],
  ];
  for (const [found, replacement, message] of wrongs) {
    const text = TEXT.replace(found, replacement);
    assertEquals(text === TEXT, false, found);
    assertThrows(() => parseReservations(text), SyntaxError, message, `${found} -> ${replacement}`);
  }
  for (const text of ["null", "[]", '"a"', '{"version":1,"persists":true}']) {
    assertThrows(() => parseReservations(text), SyntaxError);
  }
});
