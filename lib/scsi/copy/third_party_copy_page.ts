/**
 * 8Fh, Third-party Copy (SPC-4, 7.8.17): descriptors of the capabilities of EXTENDED COPY, each padded to a multiple of
 * four bytes.
 *
 * ```text
 *  0-1 | type
 *  2-3 | length of the rest
 * ```
 */
import { writeUint16, writeUint32 } from "../../bytes/big_endian.ts";
import { CopyDescriptor, CopyLimits, DESCRIPTOR_LIST_LENGTH_MAX_BYTES } from "./copy_limits.ts";

/** The service actions of each operation code. The command table has a row for each. */
export const COPY_SERVICE_ACTIONS: ReadonlyMap<number, readonly number[]> = new Map([
  [0x83, [0x00]],
  [0x84, [0x00, 0x03, 0x04]],
]);

/** Types of descriptors. */
const DescriptorType = {
  supportedCommands: 0x0001,
  parameterData: 0x0004,
  supportedDescriptors: 0x0008,
  generalCopyOperations: 0x8001,
} as const;

/** DATA SEGMENT GRANULARITY, as a power of two. */
export const GRANULARITY_EXPONENT = 9;

function descriptor(type: number, content: Uint8Array): number[] {
  const bytes = new Uint8Array(4 + Math.ceil(content.length / 4) * 4);
  writeUint16(bytes, 0, type);
  writeUint16(bytes, 2, bytes.length - 4);
  bytes.set(content, 4);
  return [...bytes];
}

/** Encodes COMMANDS SUPPORTED LIST LENGTH, then the operation code and the counted service actions of each command. */
function supportedCommands(): Uint8Array {
  const list = [...COPY_SERVICE_ACTIONS].flatMap(([opcode, actions]) => [opcode, actions.length, ...actions]);
  return Uint8Array.of(list.length, ...list);
}

/**
 * Encodes MAXIMUM CSCD DESCRIPTOR COUNT and SEGMENT DESCRIPTOR COUNT, DESCRIPTOR LIST LENGTH, INLINE DATA LENGTH
 * (none).
 */
function parameterData(): Uint8Array {
  const content = new Uint8Array(0x1c);
  writeUint16(content, 4, CopyLimits.cscdDescriptors);
  writeUint16(content, 6, CopyLimits.segmentDescriptors);
  writeUint32(content, 8, DESCRIPTOR_LIST_LENGTH_MAX_BYTES);
  return content;
}

/** Encodes SUPPORTED DESCRIPTOR LIST LENGTH, then the type codes in ascending order. */
function supportedDescriptors(): Uint8Array {
  const types = Object.values(CopyDescriptor).map(({ type }) => type);
  return Uint8Array.of(types.length, ...types);
}

/**
 * Encodes TOTAL CONCURRENT COPIES, MAXIMUM IDENTIFIED CONCURRENT COPIES, MAXIMUM SEGMENT LENGTH (none), granularity.
 */
function generalCopyOperations(): Uint8Array {
  const content = new Uint8Array(0x20);
  writeUint32(content, 0, CopyLimits.concurrentCopies);
  writeUint32(content, 4, CopyLimits.concurrentCopies);
  content[12] = GRANULARITY_EXPONENT;
  return content;
}

/** Encodes the content of the page, without its header. */
export function thirdPartyCopy(): Uint8Array {
  return Uint8Array.from([
    ...descriptor(DescriptorType.supportedCommands, supportedCommands()),
    ...descriptor(DescriptorType.parameterData, parameterData()),
    ...descriptor(DescriptorType.supportedDescriptors, supportedDescriptors()),
    ...descriptor(DescriptorType.generalCopyOperations, generalCopyOperations()),
  ]);
}
