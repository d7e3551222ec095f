/**
 * Shared parts of the tests of SCSI: a target on memory, CDBs, and a transport that completes an operation as a real
 * one would.
 */
import { assertEquals } from "@std/assert";
import {
  readUint16,
  writeUint16,
  writeUint24,
  writeUint32,
  writeUint64,
} from "../../lib/bytes/big_endian.ts";
import { COMMANDS } from "../../lib/scsi/dispatch/command_table.ts";
import type { Command } from "../../lib/scsi/dispatch/command.ts";
import { CommandKind } from "../../lib/scsi/counters/traffic.ts";
import { LogicalUnit } from "../../lib/scsi/logical_unit.ts";
import type { LogicalUnitOptions } from "../../lib/scsi/logical_unit_options.ts";
import type { Nexus } from "../../lib/scsi/nexus.ts";
import type { DataIn, DataOut, Operation } from "../../lib/scsi/outcome/operation.ts";
import { GOOD, type Outcome } from "../../lib/scsi/outcome/outcome.ts";
import type { EraseRecord } from "../../lib/scsi/medium/erase_record.ts";
import { Sense, type SenseCondition } from "../../lib/scsi/outcome/sense.ts";
import { Status } from "../../lib/scsi/outcome/status.ts";
import type { Task } from "../../lib/scsi/task.ts";
import { TaskAttribute } from "../../lib/scsi/task_attribute.ts";
import { TargetDevice } from "../../lib/scsi/target_device.ts";
import { MemoryStore } from "../support/memory_store.ts";

export const IDENTITY = { naa: "3123456789abcdef", serialNumber: "0123456789ABCDEF" } as const;

/** The options of a unit in a test. */
type UnitOptions = Partial<LogicalUnitOptions> & { readonly eraseRecord?: EraseRecord };

/** Makes a unit of 1 MiB in blocks of 512 bytes by default. */
export function makeUnit({ eraseRecord, ...options }: UnitOptions = {}): LogicalUnit {
  const store = options.store ?? new MemoryStore({ sizeBytes: 1024 * 1024 });
  const unit = new LogicalUnit({ identity: IDENTITY, readOnly: false, ...options, store });
  if (eraseRecord !== undefined) unit.eraser.load(eraseRecord);
  return unit;
}

/** Makes a target that has these units as LUN 0, 1 ... */
export function makeTarget(...units: readonly LogicalUnit[]): TargetDevice {
  return makeTargetWithLuns(new Map(units.entries()));
}

/** Makes a target that has units under these numbers. */
export function makeTargetWithLuns(logicalUnits: ReadonlyMap<number, LogicalUnit>): TargetDevice {
  return new TargetDevice({
    name: "iqn.2007-01.tld.node:disk",
    portName: "iqn.2007-01.tld.node:disk,t,0x0001",
    relativePortIdentifier: 1,
    logicalUnits,
  });
}

/** Opens a nexus without pending unit attentions, on LUN 0, 1 ... `unitCount` - 1. */
export function openReadyNexus(target: TargetDevice, unitCount = 1): Nexus {
  const nexus = target.openNexus("iqn.2007-01.tld.host:client,i,0x400001370000");
  for (let lun = 0; lun < unitCount; lun++) nexus.execute(lun, cdb("03 00 00 00 12 00"));
  return nexus;
}

/** Opens a nexus to a new unit with these options, as LUN 0. */
export function openUnit(options: UnitOptions = {}): Nexus {
  return openReadyNexus(makeTarget(makeUnit(options)));
}

/** A task that counts how often it was aborted. */
export class FakeTask implements Task {
  readonly attribute: TaskAttribute;
  kind: CommandKind = CommandKind.other;
  isDormant = false;
  abortCount = 0;
  readonly #onAbort: () => Promise<unknown> | undefined;

  /** @param onAbort returns the result of `abort` */
  constructor(
    attribute: TaskAttribute = TaskAttribute.simple,
    onAbort: () => Promise<unknown> | undefined = () => undefined,
  ) {
    this.attribute = attribute;
    this.#onAbort = onAbort;
  }

  abort(): Promise<unknown> | undefined {
    this.abortCount++;
    return this.#onAbort();
  }
}

/** Parses hexadecimal digits, in any arrangement of lines and spaces. */
export function bytes(hex: string): Uint8Array {
  return Uint8Array.from(
    hex.trim() === "" ? [] : hex.trim().split(/\s+/),
    (pair) => Number.parseInt(pair, 16),
  );
}

/** Parses a CDB and pads it to 16 bytes, as a transport does. */
export function cdb(hex: string): Uint8Array {
  const block = new Uint8Array(16);
  block.set(bytes(hex));
  return block;
}

/** Returns the row with this name. */
export function command(name: string): Command {
  const row = COMMANDS[name];
  if (row === undefined) throw new Error(`Cannot find command "${name}"`);
  return row;
}

/** The fields of a CDB that addresses blocks. */
export interface Blocks {
  readonly lba?: number;
  readonly blocks?: number;
  /** Byte 1, but for the address bits of the 6-byte forms. */
  readonly flags?: number;
}

/** Makes a CDB of a command that addresses blocks, in the layout of its length (SPC-4, 4.2.2). */
export function blocksCdb(name: string, { lba = 0, blocks = 1, flags = 0 }: Blocks): Uint8Array {
  const { opcode, usage } = command(name);
  const block = new Uint8Array(16);
  switch (usage.length) {
    case 6:
      writeUint24(block, 1, lba);
      block[4] = blocks;
      break;
    case 10:
      writeUint32(block, 2, lba);
      writeUint16(block, 7, blocks);
      break;
    case 12:
      writeUint32(block, 2, lba);
      writeUint32(block, 6, blocks);
      break;
    default:
      writeUint64(block, 2, lba);
      writeUint32(block, 10, blocks);
  }
  block[0] = opcode;
  block[1]! |= flags;
  return block;
}

/** Returns the name of the condition in fixed format sense data, or its numbers when it has no name. */
export function nameOfSense(sense: Uint8Array): string {
  const code = readUint16(sense, 12);
  const isDeferred = sense[0] === 0x71;
  const found = Object.entries<SenseCondition>(Sense).find(([, condition]) =>
    condition.key === sense[2] && condition.code === code && (condition.deferred ?? false) === isDeferred
  );
  return found?.[0] ?? `${sense[2]!.toString(16)}/${code.toString(16)}`;
}

/** Returns the name of an outcome: `good`, the name of a sense condition, or the number of another status. */
export function nameOfOutcome({ status, sense }: Outcome): string {
  if (status === Status.good) return "good";
  return sense === undefined ? status.toString(16) : nameOfSense(sense);
}

/** The result of a completed command. */
export interface Result {
  /** The name, as from `nameOfOutcome`. */
  readonly outcome: string;
  readonly sense: Uint8Array | undefined;
  /** The data that was sent to the initiator. */
  readonly data: Uint8Array;
  /** The length of the data of the command, in either direction. */
  readonly lengthBytes: number;
}

/** The data of the initiator, and the pieces in which the transport moves it. */
export interface Transfer {
  readonly dataOut?: Uint8Array;
  /** Most bytes that the transport moves at a time. */
  readonly pieceBytes?: number;
}

function endOf({ status, sense }: Outcome, lengthBytes = 0, data = new Uint8Array()): Result {
  return { outcome: nameOfOutcome({ status, sense }), sense, data, lengthBytes };
}

async function receive(operation: DataIn, pieceBytes: number): Promise<Result> {
  const data = new Uint8Array(operation.lengthBytes);
  for (let offset = 0; offset < data.length; offset += pieceBytes) {
    const into = data.subarray(offset, offset + pieceBytes);
    const outcome = operation.readNow(offset, into) ?? await operation.read(offset, into);
    if (outcome !== GOOD) return endOf(outcome, data.length, data.subarray(0, offset));
  }
  return endOf(GOOD, data.length, data);
}

async function send(operation: DataOut, dataOut: Uint8Array, pieceBytes: number): Promise<Result> {
  const { lengthBytes } = operation;
  const data = dataOut.subarray(0, lengthBytes);
  for (let offset = 0; offset < data.length; offset += pieceBytes) {
    const from = data.subarray(offset, offset + pieceBytes);
    const outcome = operation.writeNow(offset, from) ?? await operation.write(offset, from);
    if (outcome !== GOOD) return endOf(outcome, lengthBytes);
  }
  return { ...await complete(operation.finish(data.length)), lengthBytes };
}

/** Completes an operation. */
export async function complete(operation: Operation, transfer: Transfer = {}): Promise<Result> {
  const { dataOut = new Uint8Array(), pieceBytes = 1000 } = transfer;
  switch (operation.kind) {
    case "finished":
      return endOf(operation.outcome);
    case "later":
      return await complete(await operation.operation, transfer);
    case "dataIn":
      return await receive(operation, pieceBytes);
    case "dataOut":
      return await send(operation, dataOut, pieceBytes);
  }
}

/** Executes a command on LUN 0 and completes it. */
export function run(nexus: Nexus, block: Uint8Array, transfer: Transfer = {}): Promise<Result> {
  return complete(nexus.execute(0, block), transfer);
}

/** Asserts that bytes are equal to those of a dump. */
export function assertHex(actual: Uint8Array, expected: string): void {
  assertEquals(dump(actual), dump(bytes(expected)));
}

/** Formats bytes in lines of 16, each with its offset. */
function dump(data: Uint8Array): string[] {
  const lines: string[] = [];
  for (let offset = 0; offset < data.length; offset += 16) {
    const digits = [...data.subarray(offset, offset + 16)].map((byte) => byte.toString(16).padStart(2, "0"));
    lines.push(`${offset.toString(16).padStart(4, "0")}  ${digits.join(" ")}`);
  }
  return lines;
}

/** Asserts that a command was refused for a field of its CDB, and that the sense data points at it (SPC-4, 4.5.2.4). */
export function assertFieldRefused(result: Result, byte: number, bit?: number): void {
  assertEquals(result.outcome, "invalidFieldInCdb");
  const pointer = bit === undefined ? [0xc0, 0, byte] : [0xc8 | bit, 0, byte];
  assertEquals([...result.sense!.subarray(15, 18)], pointer);
}

/** Asserts that a command was refused for a field of its parameter list, and that the sense data points at it. */
export function assertParameterRefused(result: Result, byte: number, bit?: number): void {
  assertEquals(result.outcome, "invalidFieldInParameterList");
  const pointer = bit === undefined ? [0x80, byte >> 8, byte & 0xff] : [0x88 | bit, byte >> 8, byte & 0xff];
  assertEquals([...result.sense!.subarray(15, 18)], pointer);
}

/** Returns bytes that differ from those of another seed at nearly every offset. */
export function pattern(lengthBytes: number, seed = 1): Uint8Array {
  return Uint8Array.from(
    { length: lengthBytes },
    (_, index) => (index * 7 + (index >> 8) + seed * 31) & 0xff,
  );
}
