import type { Access } from "./access.ts";
import type { IgnoredField } from "./cdb_bits.ts";
import type { CdbFields } from "./cdb_field.ts";
import type { ItlNexus } from "../itl_nexus.ts";
import type { Operation } from "../outcome/operation.ts";
import type { Bits } from "./set_bits.ts";
import type { TargetDescription } from "../target_description.ts";
import type { CommandKind } from "../counters/traffic.ts";

/** One row of the command table. */
export interface CommandRow<Fields extends CdbFields = CdbFields> {
  readonly opcode: number;
  /** Bits 4-0 of byte 1, for an operation code that several commands share. */
  readonly serviceAction?: number;
  /** Everything that the command reads of its CDB, and that its CDB usage data reports. */
  readonly fields: Fields;
  /** Further fields that may be set and have no effect. Every other bit is refused. */
  readonly ignores?: readonly IgnoredField[];
  readonly access: Access;
  /** A command that moves user data counts as a read or a write of its initiator; all others count as "other". */
  readonly countsAs?: Exclude<keyof typeof CommandKind, "other">;
  /**
   * Reports whether this form of the command is allowed despite reservations that conflict with its access class: START
   * STOP UNIT that starts, PREVENT ALLOW MEDIUM REMOVAL that allows (SBC-3, 4.17).
   */
  readonly passesReservations?: (cdb: Uint8Array) => boolean;
  /**
   * Executes the command as if it had the HEAD OF QUEUE attribute. SANITIZE requires this, the others permit it (SBC-3,
   * 4.16; SPC-4, 5.3).
   */
  readonly isHeadOfQueue?: true;
  /** Executes the command. `cdb` is valid only during the call. */
  readonly execute: (nexus: ItlNexus, cdb: Uint8Array, fields: Fields) => Operation;
  /**
   * Executes the command where there is no logical unit. Only INQUIRY, REPORT LUNS and REQUEST SENSE have this, and
   * only these three are executed while a unit attention condition is pending (SAM-5, 5.14).
   */
  readonly executeWithoutLogicalUnit?: (
    target: TargetDescription,
    cdb: Uint8Array,
    fields: Fields,
  ) => Operation;
}

/** Checks that the fields of each row are those that its functions read. */
export function commandRows<T extends Readonly<Record<string, CdbFields>>>(
  rows: { readonly [Name in keyof T]: CommandRow<T[Name]> },
): Readonly<Record<string, CommandRow>> {
  return rows as unknown as Readonly<Record<string, CommandRow>>;
}

/** A row with all that follows from it. */
export interface Command extends CommandRow {
  readonly kind: CommandKind;
  /**
   * CDB usage data (SPC-4, 6.35.3): the operation code, then the bits of each byte that the command reads, and the
   * service action as it is. As long as the CDB.
   */
  readonly usage: readonly number[];
  /** The bits of the CDB for which the command is refused. */
  readonly refusedBits: Bits;
}
