/**
 * Every command of the logical units, by its name in the standards. A command that is not here is refused. The row of
 * one that is here determines what protects the medium from it, which bits of its CDB are refused, and the answer of
 * REPORT SUPPORTED OPERATION CODES.
 */
import { BLOCK_COMMANDS } from "./block_commands.ts";
import { refusedBitsOf, usageOf } from "./cdb_bits.ts";
import { type Command, type CommandRow, commandRows } from "./command.ts";
import {
  REPORT_OPERATION_CODES_FIELDS,
  reportSupportedOperationCodes,
} from "../commands/report_supported.ts";
import { PRIMARY_COMMANDS } from "./primary_commands.ts";
import { CommandKind } from "../counters/traffic.ts";

const ROWS: Readonly<Record<string, CommandRow>> = {
  ...PRIMARY_COMMANDS,
  ...BLOCK_COMMANDS,
  ...commandRows({
    "REPORT SUPPORTED OPERATION CODES": {
      opcode: 0xa3,
      serviceAction: 0x0c,
      fields: REPORT_OPERATION_CODES_FIELDS,
      access: "inspects",
      execute: (_nexus, cdb, fields) => reportSupportedOperationCodes(Object.values(COMMANDS), cdb, fields),
    },
  }),
};

function complete(row: CommandRow): Command {
  const usage = usageOf(row);
  const kind = CommandKind[row.countsAs ?? "other"];
  return { ...row, kind, usage, refusedBits: refusedBitsOf({ ...row, usage }) };
}

/** The rows, in ascending order of operation code and service action. */
export const COMMANDS: Readonly<Record<string, Command>> = Object.fromEntries(
  Object.entries(ROWS)
    .map(([name, row]) => [name, complete(row)] as const)
    .toSorted(([, a], [, b]) => a.opcode - b.opcode || (a.serviceAction ?? 0) - (b.serviceAction ?? 0)),
);

/** Bits 4-0 of byte 1: the service action, if the operation code has any (SPC-4, 4.2.5). */
const SERVICE_ACTION_BITS = 5;
const SERVICE_ACTION_MASK = 0x1f;

/** The rows at `opcode << 5 | service action`. A row without a service action is at all of them. */
const INDEX: readonly (Command | undefined)[] = indexCommands();

function indexCommands(): (Command | undefined)[] {
  const index = Array.from({ length: 0x100 << SERVICE_ACTION_BITS }, (): Command | undefined => undefined);
  for (const command of Object.values(COMMANDS)) {
    const first = command.opcode << SERVICE_ACTION_BITS;
    if (command.serviceAction === undefined) index.fill(command, first, first + SERVICE_ACTION_MASK + 1);
    else index[first | command.serviceAction] = command;
  }
  return index;
}

/** Returns the row of a CDB; undefined for a command that is not in the table. */
export function findCommand(cdb: Uint8Array): Command | undefined {
  return INDEX[cdb[0]! << SERVICE_ACTION_BITS | cdb[1]! & SERVICE_ACTION_MASK];
}

/** Reports whether any command has this operation code. */
export function isKnownOpcode(opcode: number): boolean {
  return Object.values(COMMANDS).some((command) => command.opcode === opcode);
}
