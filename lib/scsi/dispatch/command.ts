import type { Access } from "./access.ts";
import type { IgnoredField } from "./cdb_bits.ts";
import type { ItlNexus } from "../itl_nexus.ts";
import type { Operation } from "../outcome/operation.ts";
import type { Bits } from "./set_bits.ts";
import type { TargetDescription } from "../target_description.ts";
import type { CommandKind } from "../counters/traffic.ts";

/** CONTROL, the last byte of every CDB, in usage data: NACA is looked at, and refused. */
export const CONTROL = 0x04;

/** One row of the command table. */
export interface CommandRow {
  readonly opcode: number;
  /** Of an operation code that several commands share: bits 4-0 of byte 1. */
  readonly serviceAction?: number;
  /**
   * CDB usage data (SPC-4, 6.35.3): the operation code, then for each byte the bits that this target looks at, with
   * the service action as it is. As long as the CDB.
   */
  readonly usage: readonly number[];
  /** Fields that the command may have besides, and that make no difference; every other bit is refused. */
  readonly ignores?: readonly IgnoredField[];
  readonly access: Access;
  /** It moves user data, and counts as a read or a write of its initiator; every other command is one of the rest. */
  readonly countsAs?: Exclude<keyof typeof CommandKind, "other">;
  /**
   * Whether a form of the command is allowed whatever others have reserved, although its access class is not: that
   * of START STOP UNIT which starts, of PREVENT ALLOW MEDIUM REMOVAL which allows (SBC-3, 4.17).
   */
  readonly passesReservations?: (cdb: Uint8Array) => boolean;
  /**
   * It is executed as if it were sent with HEAD OF QUEUE, whatever its attribute: SANITIZE has to be, the others may
   * (SBC-3, 4.16; SPC-4, 5.3).
   */
  readonly isHeadOfQueue?: true;
  /** Executes the command. `cdb` is only valid during the call. */
  readonly execute: (nexus: ItlNexus, cdb: Uint8Array) => Operation;
  /**
   * Executes the command where there is no logical unit. Only INQUIRY, REPORT LUNS and REQUEST SENSE
   * have it, and the same three are executed although a unit attention condition is pending (SAM-5, 5.14).
   */
  readonly executeWithoutLogicalUnit?: (target: TargetDescription, cdb: Uint8Array) => Operation;
}

/** A row with what follows from it. */
export interface Command extends CommandRow {
  /** The bits of the CDB for which the command is refused. */
  readonly refusedBits: Bits;
}
