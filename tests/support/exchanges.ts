import { assertEquals } from "@std/assert";
import { readUint16 } from "../../lib/bytes/big_endian.ts";
import { Initiator } from "./initiator.ts";
import { write10 } from "./initiator_cdb.ts";
import { Opcode, type Pdu, TargetFault } from "./initiator_pdu.ts";
import { dataOut, nopOut, scsiCommand } from "./initiator_request.ts";
import type { SessionParameters } from "./initiator_text.ts";
import { type Command, type CommandResult, CommandTransfer } from "./initiator_transfer.ts";
import { pattern } from "./content.ts";
/** Fields of a request that continue an initiator's own numbering. */
export function numbered(
  initiator: Initiator,
  isImmediate = false,
): { isImmediate: boolean; initiatorTaskTag: number; cmdSn: number; expStatSn: number } {
  const cmdSn = isImmediate ? initiator.nextCmdSn : initiator.takeCmdSn();
  return { isImmediate, initiatorTaskTag: initiator.nextTaskTag(), cmdSn, expStatSn: initiator.expStatSn };
}

/** A write of 8 blocks that waits for its data. */
export interface SolicitedWrite {
  readonly tag: number;
  readonly r2t: Pdu;
}

/** Begins a write of 8 blocks by hand, and returns its tag and the R2T that asks for its data. */
export async function beginSolicited(initiator: Initiator): Promise<SolicitedWrite> {
  const request = numbered(initiator);
  const cdb = write10(0, 8);
  await initiator.send(
    scsiCommand({ ...request, isFinal: true, reads: false, writes: true, lun: 0, expectedLength: 4096, cdb }),
  );
  const r2t = await initiator.receive();
  assertEquals(r2t.opcode, Opcode.readyToTransfer);
  return { tag: request.initiatorTaskTag, r2t };
}

/** Sends the data that an R2T asked for. */
export async function sendSolicited(initiator: Initiator, { tag, r2t }: SolicitedWrite): Promise<void> {
  await initiator.send(dataOut({
    isFinal: true,
    lun: 0,
    initiatorTaskTag: tag,
    targetTransferTag: r2t.targetTransferTag,
    expStatSn: initiator.expStatSn,
    dataSn: 0,
    bufferOffset: 0,
    data: pattern(4096),
  }));
}

/** The event of an Asynchronous Message (11.9.1) and its three parameters. */
export function asynchronousMessage(pdu: Pdu): number[] {
  assertEquals([pdu.name, pdu.lun.toHex()], ["asynchronousMessage", "0000000000000000"]);
  const { header } = pdu;
  return [pdu.asynchronousEvent, ...[38, 40, 42].map((offset) => readUint16(header, offset))];
}

/** Sends PERSISTENT RESERVE OUT with a basic parameter list, and returns the status. */
export async function reserveOut(
  initiator: Initiator,
  serviceAction: number,
  { key = 0, newKey = 0, type = 0 }: { key?: number; newKey?: number; type?: number },
): Promise<number> {
  const cdb = Uint8Array.of(0x5f, serviceAction, type, 0, 0, 0, 0, 0, 24, 0);
  const list = new Uint8Array(24);
  list[7] = key;
  list[15] = newKey;
  return (await initiator.command({ cdb, write: list })).status;
}

/** Receives PDUs up to the answer to a ping sent now, and returns those before it. */
export async function drain(initiator: Initiator): Promise<Pdu[]> {
  const request = numbered(initiator, true);
  await initiator.send(nopOut(request));
  const pdus: Pdu[] = [];
  for (let count = 0; count < 10_000; count++) {
    const pdu = await initiator.receive();
    if (pdu.initiatorTaskTag === request.initiatorTaskTag) return pdus;
    pdus.push(pdu);
  }
  throw new TargetFault("The target sends without end");
}

/** Sends a command by hand and carries it to its end, under other parameters than those that the login settled. */
export async function transfer(
  initiator: Initiator,
  command: Command,
  parameters: Partial<SessionParameters> = {},
): Promise<CommandResult> {
  const { initiatorTaskTag, cmdSn, expStatSn } = numbered(initiator, command.isImmediate);
  const following = new CommandTransfer(command, initiatorTaskTag, {
    ...initiator.parameters,
    ...parameters,
  });
  await initiator.send(...following.begin(cmdSn, expStatSn));
  while (following.result === undefined) {
    const pdu = await initiator.receive();
    if (pdu.initiatorTaskTag !== initiatorTaskTag) throw new TargetFault(`Received ${pdu.name} for nobody`);
    const answers = following.accept(pdu, initiator.expStatSn);
    if (answers.length > 0) await initiator.send(...answers);
  }
  return following.result;
}
