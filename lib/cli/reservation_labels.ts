import type { ReservationType } from "../scsi/reservations/reservation_types.ts";

/** The names of reservation types. */
export const RESERVATION_LABELS = {
  writeExclusive: "write exclusive",
  exclusiveAccess: "exclusive access",
  writeExclusiveRegistrantsOnly: "write exclusive, registrants only",
  exclusiveAccessRegistrantsOnly: "exclusive access, registrants only",
  writeExclusiveAllRegistrants: "write exclusive, all registrants",
  exclusiveAccessAllRegistrants: "exclusive access, all registrants",
  reserve: "RESERVE",
} as const satisfies Record<ReservationType | "reserve", string>;
