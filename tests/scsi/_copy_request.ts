/** The parameter list of EXTENDED COPY(LID1) (SPC-4, 6.4). */
import { writeUint16, writeUint24, writeUint32, writeUint64 } from "../../lib/bytes/big_endian.ts";
import { cdb } from "./fixture.ts";

/** The identifiers of the units of a copy. */
export const NAAS = ["3000000000000001", "3000000000000002"] as const;

/** A segment: one block by default, from the start of LUN 0 to that of LUN 1. */
export interface Segment {
  readonly source?: number;
  readonly destination?: number;
  readonly blocks?: number;
  readonly from?: number;
  readonly to?: number;
  readonly countsDestination?: boolean;
  /** CAT: the treatment of the rest of an inexact segment. */
  readonly keepsRest?: boolean;
}

/** A copy. */
export interface Request {
  readonly listId?: number;
  readonly listIdUsage?: number;
  readonly naas?: readonly string[];
  readonly blockLengths?: readonly number[];
  readonly segments: readonly Segment[];
}

function encodeCscd(naa: string, blockLength: number): Uint8Array {
  const cscd = new Uint8Array(32);
  cscd.set([0xe4, 0, 0, 0, 0x01, 0x03, 0, naa.length / 2]);
  cscd.set(Uint8Array.fromHex(naa), 8);
  writeUint24(cscd, 29, blockLength);
  return cscd;
}

function encodeSegment(segment: Segment): Uint8Array {
  const { source = 0, destination = 1, blocks = 1, from = 0, to = 0 } = segment;
  const bytes = new Uint8Array(28);
  bytes.set([0x02, (segment.countsDestination ? 0x02 : 0) | (segment.keepsRest ? 0x01 : 0), 0, 0x18]);
  writeUint16(bytes, 4, source);
  writeUint16(bytes, 6, destination);
  writeUint16(bytes, 10, blocks);
  writeUint64(bytes, 12, from);
  writeUint64(bytes, 20, to);
  return bytes;
}

/** Encodes the parameter list of a copy. */
export function encodeRequest(request: Request): Uint8Array {
  const { listId = 7, listIdUsage = 0, naas = NAAS, blockLengths = [], segments } = request;
  const header = new Uint8Array(16);
  header[0] = listId;
  header[1] = listIdUsage << 3;
  writeUint16(header, 2, naas.length * 32);
  writeUint32(header, 8, segments.length * 28);
  const cscds = naas.map((naa, index) => encodeCscd(naa, blockLengths[index] ?? 512));
  return Uint8Array.from([header, ...cscds, ...segments.map(encodeSegment)].flatMap((part) => [...part]));
}

/** Makes the CDB for a parameter list. */
export function copyCdb(lengthBytes: number): Uint8Array {
  const block = cdb("83");
  writeUint32(block, 10, lengthBytes);
  return block;
}
