/**
 * What a command has to do with the medium and with what others have reserved: the one column of the command table from
 * which follow the readiness of the medium that it needs, write protection and reservation conflicts (SPC-4, table 65;
 * SBC-3, 4.17; SPC-2, 5.5.1 for RESERVE and RELEASE).
 */

/** What an access class comes to. */
interface AccessClass {
  /** It needs the medium: a logical unit that is not ready refuses it. */
  readonly needsMedium: boolean;
  /** It changes the medium: a logical unit that is write protected refuses it. */
  readonly changesMedium: boolean;
  /** It changes the unit or what is reserved of it: a logical unit that does not know its reservations refuses it. */
  readonly needsReservations: boolean;
  /** What others' persistent reservations let through: everything, all but exclusive access, or nothing. */
  readonly conflictsWith: "nothing" | "exclusiveAccess" | "everyType";
  /** It conflicts with what another nexus has reserved by RESERVE. */
  readonly conflictsWithReserve: boolean;
}

/** The access classes. A command that fits none of them needs one of its own. */
export const ACCESS = {
  /** Says what the logical unit is, to anybody: INQUIRY, REPORT LUNS, READ CAPACITY, LOG SENSE. */
  identifies: {
    needsMedium: false,
    changesMedium: false,
    needsReservations: false,
    conflictsWith: "nothing",
    conflictsWithReserve: false,
  },
  /** Asks how things stand: TEST UNIT READY, the forms of RECEIVE COPY RESULTS. */
  polls: {
    needsMedium: false,
    changesMedium: false,
    needsReservations: false,
    conflictsWith: "nothing",
    conflictsWithReserve: true,
  },
  /** Says how the logical unit is set up: MODE SENSE, REPORT SUPPORTED OPERATION CODES, READ DEFECT DATA. */
  inspects: {
    needsMedium: false,
    changesMedium: false,
    needsReservations: false,
    conflictsWith: "exclusiveAccess",
    conflictsWithReserve: true,
  },
  /** Reads the medium, or looks at it: READ, VERIFY, PRE-FETCH, GET LBA STATUS. */
  reads: {
    needsMedium: true,
    changesMedium: false,
    needsReservations: false,
    conflictsWith: "exclusiveAccess",
    conflictsWithReserve: true,
  },
  /** Sets the logical unit up, or has it do something: MODE SELECT, LOG SELECT, START STOP UNIT, EXTENDED COPY. */
  configures: {
    needsMedium: false,
    changesMedium: false,
    needsReservations: true,
    conflictsWith: "everyType",
    conflictsWithReserve: true,
  },
  /** Makes what was written durable: SYNCHRONIZE CACHE. */
  synchronizes: {
    needsMedium: true,
    changesMedium: false,
    needsReservations: false,
    conflictsWith: "everyType",
    conflictsWithReserve: true,
  },
  /** Changes the medium: WRITE, UNMAP, WRITE SAME, COMPARE AND WRITE, ORWRITE, WRITE ATOMIC, SANITIZE. */
  writes: {
    needsMedium: true,
    changesMedium: true,
    needsReservations: false,
    conflictsWith: "everyType",
    conflictsWithReserve: true,
  },
  /** Deals with reservations itself: PERSISTENT RESERVE IN and OUT, RESERVE, RELEASE. */
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
