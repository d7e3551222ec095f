/**
 * Every command against every reservation, from every nexus, compared with tables copied from the standards: SPC-4,
 * tables 65 and 66; SBC-3, 4.17 (with the commands that SBC-4 adds); SPC-2, tables 8 and B.2, for RESERVE.
 */
import { assert, assertEquals } from "@std/assert";
import { COMMANDS } from "../../../lib/scsi/dispatch/command_table.ts";
import type { Nexus } from "../../../lib/scsi/nexus.ts";
import { RESERVATION_TYPES } from "../../../lib/scsi/reservations/reservation_types.ts";
import type { TargetDevice } from "../../../lib/scsi/target_device.ts";
import { cdb, command, makeTarget, makeUnit, nameOfOutcome, run } from "../fixture.ts";
import { reserveOut } from "./_reserve_out.ts";

/** A line of the standards' tables: true where its commands are allowed. */
interface Line {
  /** Write Exclusive held by another nexus; the same for an unregistered nexus where registrants are admitted. */
  readonly writeExclusive: boolean;
  /** Exclusive Access, likewise. */
  readonly exclusiveAccess: boolean;
  /** RESERVE by another nexus. */
  readonly reserve: boolean;
}

const always: Line = { writeExclusive: true, exclusiveAccess: true, reserve: true };
const unlessReserved: Line = { writeExclusive: true, exclusiveAccess: true, reserve: false };
const readLike: Line = { writeExclusive: true, exclusiveAccess: false, reserve: false };
const never: Line = { writeExclusive: false, exclusiveAccess: false, reserve: false };

/** The lines. A command's name here is that of its row without its length and service action. */
const LINES: Readonly<Record<string, Line>> = {
  // SPC-4, table 65.
  "EXTENDED COPY": never,
  "INQUIRY": always,
  "LOG SELECT": never,
  "LOG SENSE": always,
  "MODE SELECT": never,
  "MODE SENSE": readLike,
  "RECEIVE COPY DATA": unlessReserved,
  "RECEIVE COPY STATUS": unlessReserved,
  "RECEIVE COPY OPERATING PARAMETERS": unlessReserved,
  "RECEIVE COPY FAILURE DETAILS": unlessReserved,
  "REPORT IDENTIFYING INFORMATION": always,
  "REPORT LUNS": always,
  "REPORT SUPPORTED OPERATION CODES": readLike,
  "REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS": readLike,
  "REPORT TARGET PORT GROUPS": always,
  "REQUEST SENSE": always,
  "SEND DIAGNOSTIC": never,
  "SET IDENTIFYING INFORMATION": never,
  "TEST UNIT READY": unlessReserved,
  // SBC-3, 4.17.
  "COMPARE AND WRITE": never,
  "FORMAT UNIT": never,
  "GET LBA STATUS": readLike,
  "ORWRITE": never,
  "PRE-FETCH": readLike,
  "PREVENT ALLOW MEDIUM REMOVAL": never,
  "READ": readLike,
  "READ CAPACITY": always,
  "READ DEFECT DATA": readLike,
  "SANITIZE": never,
  "START STOP UNIT": never,
  "SYNCHRONIZE CACHE": never,
  "UNMAP": never,
  "VERIFY": readLike,
  "WRITE": never,
  "WRITE AND VERIFY": never,
  "WRITE ATOMIC": never,
  "WRITE SAME": never,
  // Obsolete, and in none of these tables: they position to blocks, as PRE-FETCH does.
  "REZERO UNIT": readLike,
  "SEEK": readLike,
};

/** Forms of a command that have their own line: all of them are always allowed. */
const HARMLESS_FORMS: Readonly<Record<string, Uint8Array>> = {
  "PREVENT ALLOW MEDIUM REMOVAL": cdb("1e 00 00 00 00 00"),
  "START STOP UNIT": cdb("1b 00 00 00 01 00"),
};

/** The other forms of the same: START is ignored with a power condition. */
const HARMFUL_FORMS: Readonly<Record<string, readonly Uint8Array[]>> = {
  "PREVENT ALLOW MEDIUM REMOVAL": [cdb("1e 00 00 00 01 00")],
  "START STOP UNIT": [cdb("1b 00 00 00 00 00"), cdb("1b 00 00 00 11 00")],
};

const HOLDER = "iqn.2007-01.tld.host:holder,i,0x000000000001";
const REGISTERED = "iqn.2007-01.tld.host:registered,i,0x000000000002";
const STRANGER = "iqn.2007-01.tld.host:stranger,i,0x000000000003";

/** Rows that decide for themselves, tested below and with their commands. */
function isReservationRow(name: string): boolean {
  return /^(PERSISTENT RESERVE|RESERVE|RELEASE)/.test(name);
}

function lineOf(name: string): Line {
  const plain = name.replace(/\(.*\)$/, "");
  const key = plain.startsWith("SANITIZE") ? "SANITIZE" : plain;
  const line = LINES[key];
  assert(
    line !== undefined,
    `${name} is in none of the standards' tables here: look it up, and add its line`,
  );
  return line;
}

function open(target: TargetDevice, port: string): Nexus {
  const nexus = target.openNexus(port);
  nexus.execute(0, cdb("03 00 00 00 12 00"));
  return nexus;
}

/** Reports whether a new target, in a state that `prepare` has set up, allows a command. */
function isAllowed(block: Uint8Array, from: string, prepare: (target: TargetDevice) => void): boolean {
  const target = makeTarget(makeUnit({ removable: true }));
  prepare(target);
  const operation = open(target, from).execute(0, block);
  return operation.kind !== "finished" || nameOfOutcome(operation.outcome) !== "18";
}

function plainCdb(name: string): Uint8Array {
  const { opcode, serviceAction = 0 } = command(name);
  const block = new Uint8Array(16);
  block[0] = opcode;
  block[1] = serviceAction;
  return block;
}

/** Makes a target on which one nexus holds a reservation of a type and another has registered. */
function reserveAs(type: number): (target: TargetDevice) => void {
  return (target) => {
    const holder = open(target, HOLDER);
    reserveOut(open(target, REGISTERED), "REGISTER AND IGNORE EXISTING KEY", { newKey: 2n });
    reserveOut(holder, "REGISTER AND IGNORE EXISTING KEY", { newKey: 1n });
    assertEquals(reserveOut(holder, "RESERVE", { key: 1n, type }), "good");
  };
}

Deno.test("persistent reservations allow every row as in the standards", () => {
  let checks = 0;
  for (const name of Object.keys(COMMANDS).filter((row) => !isReservationRow(row))) {
    const line = lineOf(name);
    for (const [type, { code, excludes, admits }] of Object.entries(RESERVATION_TYPES)) {
      const outside = excludes === "access" ? line.exclusiveAccess : line.writeExclusive;
      const expected = { [HOLDER]: true, [REGISTERED]: admits !== "holder" || outside, [STRANGER]: outside };
      for (const [port, isExpected] of Object.entries(expected)) {
        for (const block of HARMFUL_FORMS[name] ?? [plainCdb(name)]) {
          assertEquals(isAllowed(block, port, reserveAs(code)), isExpected, `${name}, ${type}, ${port}`);
          checks++;
        }
      }
      const harmless = HARMLESS_FORMS[name];
      if (harmless !== undefined) assert(isAllowed(harmless, STRANGER, reserveAs(code)), `${name}, ${type}`);
    }
  }
  assert(checks > 18 * 20, "there are rows");
});

Deno.test("RESERVE allows every row as in SPC-2", () => {
  // The nexus must stay open: its reservation ends with it.
  const prepare = (target: TargetDevice): void => void open(target, HOLDER).execute(0, cdb("16"));
  for (const name of Object.keys(COMMANDS).filter((row) => !isReservationRow(row))) {
    for (const block of HARMFUL_FORMS[name] ?? [plainCdb(name)]) {
      assertEquals(isAllowed(block, STRANGER, prepare), lineOf(name).reserve, name);
    }
    const harmless = HARMLESS_FORMS[name];
    if (harmless !== undefined) assert(isAllowed(harmless, STRANGER, prepare), name);
  }
});

/** SPC-4, table 66: true where a service action of a registered nexus is allowed while another one is the holder. */
const FROM_REGISTERED: Readonly<Record<string, boolean>> = {
  "REGISTER": true,
  "RESERVE": false,
  "RELEASE": true,
  "CLEAR": true,
  "PREEMPT": true,
  "PREEMPT AND ABORT": true,
  "REGISTER AND IGNORE EXISTING KEY": true,
  "REGISTER AND MOVE": false,
};

Deno.test("persistent reservations allow every service action as in table 66", () => {
  const prefix = "PERSISTENT RESERVE OUT ";
  const actions = Object.keys(COMMANDS).filter((name) => name.startsWith(prefix))
    .map((name) => name.slice(prefix.length));
  assertEquals(actions, Object.keys(FROM_REGISTERED));
  for (
    const { code, admits } of Object.values(RESERVATION_TYPES).filter((rule) =>
      rule.admits !== "registrantsAsHolders"
    )
  ) {
    for (const action of actions) {
      const target = makeTarget(makeUnit());
      reserveAs(code)(target);
      const isRegister = action.startsWith("REGISTER") && action !== "REGISTER AND MOVE";
      const request = { newKey: 1n, type: code === 1 ? 3 : 1, port: STRANGER };
      const unregistered = reserveOut(open(target, STRANGER), action, request);
      assertEquals(unregistered !== "18", isRegister, `${action} from a stranger, ${admits}`);
      const registered = reserveOut(open(target, REGISTERED), action, { ...request, key: 2n });
      assertEquals(
        registered !== "18",
        FROM_REGISTERED[action],
        `${action} from a registered nexus, ${admits}`,
      );
    }
  }
});

Deno.test("a conflict ranks below resets and above every other unit attention condition (SAM-5, 5.3.3)", async () => {
  const target = makeTarget(makeUnit());
  reserveAs(RESERVATION_TYPES.exclusiveAccess.code)(target);
  const stranger = target.openNexus(STRANGER);
  const outcomeOf = (block: Uint8Array): string => {
    const operation = stranger.execute(0, block);
    return operation.kind === "finished" ? nameOfOutcome(operation.outcome) : operation.kind;
  };
  const read = cdb("28 00 00 00 00 00 00 00 01 00");
  assertEquals(outcomeOf(read), "powerOnResetOrBusDeviceResetOccurred");
  assertEquals(outcomeOf(read), "18");
  // Another initiator changes a mode parameter: D_SENSE of the control page.
  const holder = open(target, HOLDER);
  const list = cdb("00 00 00 00 0a 0a 04 10 00 00 00 00 ff ff 00 00");
  assertEquals((await run(holder, cdb("15 10 00 00 10 00"), { dataOut: list })).outcome, "good");
  assertEquals(outcomeOf(read), "18");
  assertEquals(outcomeOf(cdb("00")), "modeParametersChanged");
  assertEquals(outcomeOf(cdb("00")), "good");
});
