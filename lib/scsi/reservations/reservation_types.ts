/** Types of persistent reservations (SPC-4, 6.15.3.4). */

interface TypeRules {
  readonly code: number;
  /** The commands that are refused to all nexuses that are not admitted. */
  readonly excludes: "writing" | "access";
  /** The admitted nexuses: the one holder, all registered ones, or all registered ones as holders. */
  readonly admits: "holder" | "registrants" | "registrantsAsHolders";
}

/** The types, by their names. */
export const RESERVATION_TYPES = {
  writeExclusive: { code: 0x1, excludes: "writing", admits: "holder" },
  exclusiveAccess: { code: 0x3, excludes: "access", admits: "holder" },
  writeExclusiveRegistrantsOnly: { code: 0x5, excludes: "writing", admits: "registrants" },
  exclusiveAccessRegistrantsOnly: { code: 0x6, excludes: "access", admits: "registrants" },
  writeExclusiveAllRegistrants: { code: 0x7, excludes: "writing", admits: "registrantsAsHolders" },
  exclusiveAccessAllRegistrants: { code: 0x8, excludes: "access", admits: "registrantsAsHolders" },
} as const satisfies Record<string, TypeRules>;

/** The name of a type. */
export type ReservationType = keyof typeof RESERVATION_TYPES;

const NAMES: ReadonlyMap<number, ReservationType> = new Map(
  Object.entries(RESERVATION_TYPES).map(([name, { code }]) => [code, name as ReservationType]),
);

/** Returns the type with this code; undefined when there is none. */
export function findReservationType(code: number): ReservationType | undefined {
  return NAMES.get(code);
}

/** Reports whether a value is the name of a type. */
export function isReservationType(name: unknown): name is ReservationType {
  return typeof name === "string" && Object.hasOwn(RESERVATION_TYPES, name);
}
