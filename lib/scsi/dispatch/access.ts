/**
 * Access classes of commands. This one column of the command table determines the checks of a ready medium, of write
 * protection and of reservation conflicts (SPC-4, table 65; SBC-3, 4.17; SPC-2, 5.5.1 for RESERVE and RELEASE).
 */

/** The properties of an access class. */
interface AccessClass {
  /** The command needs the medium: a logical unit that is not ready refuses it. */
  readonly needsMedium: boolean;
  /** The command changes the medium: a write-protected logical unit refuses it. */
  readonly changesMedium: boolean;
  /** The command changes the unit or its reservations: a unit whose saved reservations are unreadable refuses it. */
  readonly needsReservations: boolean;
  /** Types of persistent reservations with which the command conflicts, if another nexus holds one. */
  readonly conflictsWith: "nothing" | "exclusiveAccess" | "everyType";
  /** The command conflicts with the reservation of another nexus by RESERVE. */
  readonly conflictsWithReserve: boolean;
}

/** The access classes. */
export const ACCESS = {
  /** Identifies the logical unit, for any initiator: INQUIRY, REPORT LUNS, READ CAPACITY, LOG SENSE. */
  identifies: {
    needsMedium: false,
    changesMedium: false,
    needsReservations: false,
    conflictsWith: "nothing",
    conflictsWithReserve: false,
  },
  /** Reports a state: TEST UNIT READY, the forms of RECEIVE COPY RESULTS. */
  polls: {
    needsMedium: false,
    changesMedium: false,
    needsReservations: false,
    conflictsWith: "nothing",
    conflictsWithReserve: true,
  },
  /** Reports the configuration of the logical unit: MODE SENSE, REPORT SUPPORTED OPERATION CODES, READ DEFECT DATA. */
  inspects: {
    needsMedium: false,
    changesMedium: false,
    needsReservations: false,
    conflictsWith: "exclusiveAccess",
    conflictsWithReserve: true,
  },
  /** Reads or inspects the medium: READ, VERIFY, PRE-FETCH, GET LBA STATUS, SEEK. */
  reads: {
    needsMedium: true,
    changesMedium: false,
    needsReservations: false,
    conflictsWith: "exclusiveAccess",
    conflictsWithReserve: true,
  },
  /** Configures or controls the logical unit: MODE SELECT, START STOP UNIT, SEND DIAGNOSTIC, EXTENDED COPY. */
  configures: {
    needsMedium: false,
    changesMedium: false,
    needsReservations: true,
    conflictsWith: "everyType",
    conflictsWithReserve: true,
  },
  /** Makes written data durable: SYNCHRONIZE CACHE. */
  synchronizes: {
    needsMedium: true,
    changesMedium: false,
    needsReservations: false,
    conflictsWith: "everyType",
    conflictsWithReserve: true,
  },
  /**
   * Changes the medium: WRITE, UNMAP, WRITE SAME, COMPARE AND WRITE, ORWRITE, WRITE ATOMIC, SANITIZE, FORMAT
   * UNIT.
   */
  writes: {
    needsMedium: true,
    changesMedium: true,
    needsReservations: false,
    conflictsWith: "everyType",
    conflictsWithReserve: true,
  },
  /** Manages reservations: PERSISTENT RESERVE IN and OUT, RESERVE, RELEASE. */
  reserves: {
    needsMedium: false,
    changesMedium: false,
    needsReservations: true,
    conflictsWith: "nothing",
    conflictsWithReserve: false,
  },
} as const satisfies Record<string, AccessClass>;

/** One of the access classes. */
export type Access = keyof typeof ACCESS;
