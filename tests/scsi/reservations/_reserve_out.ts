/** PERSISTENT RESERVE OUT for tests: parameter lists, as an initiator makes them. */
import { assert } from "@std/assert";
import { writeUint16, writeUint32 } from "../../../lib/bytes/big_endian.ts";
import type { Nexus } from "../../../lib/scsi/nexus.ts";
import type { Operation } from "../../../lib/scsi/outcome/operation.ts";
import { command, nameOfOutcome } from "../fixture.ts";

/** The fields of a parameter list; zero by default. */
export interface ReserveOut {
  readonly key?: bigint;
  readonly newKey?: bigint;
  readonly type?: number;
  readonly scope?: number;
  readonly persists?: boolean;
  /** REGISTER AND MOVE: UNREG and the destination. */
  readonly unregisters?: boolean;
  readonly port?: string;
  readonly targetPort?: number;
  /** SPEC_I_PT, with these TransportIDs. */
  readonly transportIds?: readonly Uint8Array[];
}

/** Makes a TransportID without the code under test: format 01b of a port, or 00b of a name. */
export function transportId(name: string): Uint8Array {
  const text = new TextEncoder().encode(name);
  const length = Math.max(Math.ceil((text.length + 1) / 4) * 4, 20);
  const bytes = new Uint8Array(4 + length);
  bytes[0] = name.includes(",i,0x") ? 0x45 : 0x05;
  writeUint16(bytes, 2, length);
  bytes.set(text, 4);
  return bytes;
}

function concat(...parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

/** Makes the parameter list of a service action. */
export function parameterList(action: string, request: ReserveOut): Uint8Array {
  const { key = 0n, newKey = 0n, persists = false, unregisters = false, transportIds } = request;
  const header = new Uint8Array(24);
  const view = new DataView(header.buffer);
  view.setBigUint64(0, key);
  view.setBigUint64(8, newKey);
  if (action === "REGISTER AND MOVE") {
    const id = request.port === undefined ? new Uint8Array() : transportId(request.port);
    header[17] = (unregisters ? 2 : 0) | (persists ? 1 : 0);
    writeUint16(header, 18, request.targetPort ?? 1);
    writeUint32(header, 20, id.length);
    return concat(header, id);
  }
  header[20] = (transportIds === undefined ? 0 : 8) | (persists ? 1 : 0);
  if (transportIds === undefined) return header;
  const ids = concat(...transportIds);
  const length = new Uint8Array(4);
  writeUint32(length, 0, ids.length);
  return concat(header, length, ids);
}

/** Makes the CDB of a service action, for a parameter list of some length. */
export function reserveOutCdb(
  action: string,
  lengthBytes: number,
  { scope = 0, type = 0 }: ReserveOut,
): Uint8Array {
  const { opcode, serviceAction } = command(`PERSISTENT RESERVE OUT ${action}`);
  const block = new Uint8Array(16);
  block[0] = opcode;
  block[1] = serviceAction!;
  block[2] = scope << 4 | type;
  writeUint32(block, 5, lengthBytes);
  return block;
}

/** Begins a service action and sends its parameter list. */
export function beginReserveOut(nexus: Nexus, action: string, request: ReserveOut): Operation {
  const list = parameterList(action, request);
  const operation = nexus.execute(0, reserveOutCdb(action, list.length, request));
  if (operation.kind !== "dataOut") return operation;
  operation.writeNow(0, list);
  return operation.finish(list.length);
}

/** Performs a service action that ends at once, and returns the name of its outcome; `18` is RESERVATION CONFLICT. */
export function reserveOut(nexus: Nexus, action: string, request: ReserveOut = {}): string {
  const operation = beginReserveOut(nexus, action, request);
  assert(operation.kind === "finished", `${action} is ${operation.kind}`);
  return nameOfOutcome(operation.outcome);
}
