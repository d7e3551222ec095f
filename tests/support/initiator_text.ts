/**
 * Text as logins and text requests carry it (RFC 7143, 6.1), and what it settles, for tests.
 */
import { TargetFault } from "./initiator_pdu.ts";

/** `key=value` pairs in their order; a key may be repeated, as TargetAddress is. */
export type TextPairs = readonly (readonly [key: string, value: string])[];

/** Returns the pairs as the text of data segments: each ends with a zero byte. */
export function encodeText(pairs: TextPairs): Uint8Array {
  return new TextEncoder().encode(pairs.map(([key, value]) => `${key}=${value}\0`).join(""));
}

/** Returns the pairs of one or more data segments, put together. */
export function decodeText(bytes: Uint8Array): TextPairs {
  if (bytes.length === 0) return [];
  if (bytes.at(-1) !== 0) throw new TargetFault("Text does not end with a zero byte");
  const lines = new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(0, -1)).split("\0");
  return lines.map((line) => {
    const equals = line.indexOf("=");
    if (equals < 1) throw new TargetFault(`Text "${line}" is not key=value`);
    return [line.slice(0, equals), line.slice(equals + 1)] as const;
  });
}

/** Splits bytes into pieces of at most `pieceBytes`; there is at least one. */
export function splitBytes(bytes: Uint8Array, pieceBytes: number): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (let start = 0; start < bytes.length; start += pieceBytes) {
    pieces.push(bytes.subarray(start, start + pieceBytes));
  }
  return pieces.length === 0 ? [bytes] : pieces;
}

/** Puts pieces together. */
export function joinBytes(pieces: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let offset = 0;
  for (const piece of pieces) {
    joined.set(piece, offset);
    offset += piece.length;
  }
  return joined;
}

/** The negotiated parameters that an initiator has to act on. */
export interface SessionParameters {
  /** Most that the target sends in one data segment: our own declaration. */
  readonly receiveBytesMax: number;
  /** Most that we may send in one data segment: the target's declaration. */
  readonly sendBytesMax: number;
  readonly initialR2T: boolean;
  readonly immediateData: boolean;
  readonly firstBurstBytes: number;
  readonly maxBurstBytes: number;
}

/** The keys that an initiator of these tests offers by default. */
export const OFFERED_KEYS: Readonly<Record<string, string>> = {
  HeaderDigest: "None",
  DataDigest: "None",
  MaxRecvDataSegmentLength: "65536",
  InitialR2T: "No",
  ImmediateData: "Yes",
  FirstBurstLength: "65536",
  MaxBurstLength: "262144",
  MaxOutstandingR2T: "4",
  MaxConnections: "1",
  ErrorRecoveryLevel: "0",
  DefaultTime2Wait: "2",
  DefaultTime2Retain: "0",
  DataPDUInOrder: "Yes",
  DataSequenceInOrder: "Yes",
};

/** Returns the parameters that follow from both sides' keys; keys that neither named have their defaults (13). */
export function settleParameters(ours: TextPairs, theirs: TextPairs): SessionParameters {
  const declared = new Map(ours);
  const settled = new Map(theirs);
  function number(key: string, absent: number): number {
    return Number(settled.get(key) ?? absent);
  }
  return {
    receiveBytesMax: Number(declared.get("MaxRecvDataSegmentLength") ?? 8192),
    sendBytesMax: number("MaxRecvDataSegmentLength", 8192),
    initialR2T: (settled.get("InitialR2T") ?? "Yes") === "Yes",
    immediateData: (settled.get("ImmediateData") ?? "Yes") === "Yes",
    firstBurstBytes: number("FirstBurstLength", 65536),
    maxBurstBytes: number("MaxBurstLength", 262144),
  };
}

/** A target as discovery reports it (RFC 7143, Appendix C). */
export interface DiscoveredTarget {
  readonly name: string;
  /** TargetAddress values. */
  readonly addresses: readonly string[];
}

/** Groups the pairs that answer SendTargets: each TargetAddress belongs to the TargetName before it. */
export function groupTargets(pairs: TextPairs): DiscoveredTarget[] {
  const targets: { name: string; addresses: string[] }[] = [];
  for (const [key, value] of pairs) {
    if (key === "TargetName") targets.push({ name: value, addresses: [] });
    else if (key === "TargetAddress" && targets.length > 0) targets.at(-1)!.addresses.push(value);
    else throw new TargetFault(`"${key}=${value}" has no place in an answer to SendTargets`);
  }
  return targets;
}
