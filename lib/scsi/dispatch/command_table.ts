/**
 * Every command of the logical units, by its name in the standards. What is not here is refused; what is here decides
 * by its row what protects the medium from it and which bits of its CDB are refused, and is what REPORT SUPPORTED
 * OPERATION CODES says.
 */
import { BLOCK_COMMANDS } from "./block_commands.ts";
import { refusedBitsOf } from "./cdb_bits.ts";
import { type Command, type CommandRow, CONTROL } from "./command.ts";
import { reportSupportedOperationCodes } from "../commands/report_supported.ts";
import { PRIMARY_COMMANDS } from "./primary_commands.ts";
import { CommandKind } from "../counters/traffic.ts";

const ROWS: Readonly<Record<string, CommandRow>> = {
  ...PRIMARY_COMMANDS,
  ...BLOCK_COMMANDS,
  "REPORT SUPPORTED OPERATION CODES": {
    opcode: 0xa3,
    serviceAction: 0x0c,
    usage: [0xa3, 0x0c, 0x87, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, CONTROL],
    access: "inspects",
    execute: (_nexus, cdb) => reportSupportedOperationCodes(Object.values(COMMANDS), cdb),
  },
};

/** The rows, in ascending order of operation code and service action. */
export const COMMANDS: Readonly<Record<string, Command>> = Object.fromEntries(
  Object.entries(ROWS)
    .map(([name, row]) => [name, { ...row, refusedBits: refusedBitsOf(row) }] as const)
    .toSorted(([, a], [, b]) => a.opcode - b.opcode || (a.serviceAction ?? 0) - (b.serviceAction ?? 0)),
);

/** Bits 4-0 of byte 1, where a service action is if the operation code has any (SPC-4, 4.2.5). */
const SERVICE_ACTION_BITS = 5;
const SERVICE_ACTION_MASK = 0x1f;

/** The rows at `opcode << 5 | service action`; one without a service action is there under all of them. */
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

/** The row for a CDB; undefined when it names no command of ours. */
export function findCommand(cdb: Uint8Array): Command | undefined {
  return INDEX[cdb[0]! << SERVICE_ACTION_BITS | cdb[1]! & SERVICE_ACTION_MASK];
}

/** Whether the command of a CDB is executed at once, whatever others are under way. */
export function isHeadOfQueue(cdb: Uint8Array): boolean {
  return findCommand(cdb)?.isHeadOfQueue === true;
}

/** Whether any command has this operation code. */
export function isKnownOpcode(opcode: number): boolean {
  return Object.values(COMMANDS).some((command) => command.opcode === opcode);
}

/** What commands count as, by operation code: none shares its own with a command that counts as something else. */
const KINDS: readonly CommandKind[] = indexKinds();

function indexKinds(): CommandKind[] {
  const kinds = Array.from({ length: 0x100 }, (): CommandKind => CommandKind.other);
  for (const { opcode, countsAs } of Object.values(COMMANDS)) {
    if (countsAs !== undefined) kinds[opcode] = CommandKind[countsAs];
  }
  return kinds;
}

/** What the command of a CDB counts as. */
export function kindOfCommand(cdb: Uint8Array): CommandKind {
  return KINDS[cdb[0]!]!;
}
