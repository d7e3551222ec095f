/**
 * Vital product data pages of INQUIRY (SPC-4, 7.8; SBC-3, 6.6).
 *
 * ```text
 *    0 | peripheral qualifier and device type
 *    1 | page code
 *  2-3 | page length: the bytes that follow
 *  4-  | content
 * ```
 */
import { writeUint16, writeUint32 } from "../../bytes/big_endian.ts";
import { atomicWriteMaxBlocks, compareAndWriteMaxBlocks } from "../medium/atomic_limits.ts";
import { thirdPartyCopy } from "../copy/third_party_copy_page.ts";
import type { ItlNexus } from "../itl_nexus.ts";
import { TARGET_PORT_GROUP } from "../target_description.ts";
import { encodeProvisioningLimits, encodeProvisioningPage } from "./provisioning.ts";
import { READ_AHEAD_MAX_BYTES } from "../medium/read_ahead.ts";

type Page = (nexus: ItlNexus) => Uint8Array;

/** The pages in ascending order of their codes, which is the order of page 00h. */
const PAGES: ReadonlyMap<number, Page> = new Map<number, Page>([
  [0x00, supportedPages],
  [0x80, unitSerialNumber],
  [0x83, deviceIdentification],
  [0x86, extendedInquiryData],
  [0x87, modePagePolicy],
  [0x88, scsiPorts],
  [0x8f, thirdPartyCopy],
  [0xb0, blockLimits],
  [0xb1, blockDeviceCharacteristics],
  [0xb2, logicalBlockProvisioning],
]);

const HEADER_LENGTH_BYTES = 4;

/** Encodes the VPD page with this code; returns undefined when there is none. */
export function encodeVitalProductData(nexus: ItlNexus, code: number): Uint8Array | undefined {
  const content = PAGES.get(code)?.(nexus);
  if (content === undefined) return undefined;
  const page = new Uint8Array(HEADER_LENGTH_BYTES + content.length);
  page[1] = code;
  writeUint16(page, 2, content.length);
  page.set(content, HEADER_LENGTH_BYTES);
  return page;
}

/** Encodes 00h, Supported VPD Pages. */
function supportedPages(): Uint8Array {
  return Uint8Array.from(PAGES.keys());
}

/** Encodes 80h, Unit Serial Number. */
function unitSerialNumber({ logicalUnit }: ItlNexus): Uint8Array {
  return encodeText(logicalUnit.identity.serialNumber);
}

/** CODE SET. */
const CodeSet = { binary: 0x1, ascii: 0x2, utf8: 0x3 } as const;
/** ASSOCIATION: the object that a designator identifies. */
const Association = { logicalUnit: 0x00, targetPort: 0x10, targetDevice: 0x20 } as const;
/** DESIGNATOR TYPE. */
const DesignatorType = {
  t10VendorId: 0x1,
  naa: 0x3,
  relativeTargetPort: 0x4,
  targetPortGroup: 0x5,
  scsiNameString: 0x8,
} as const;

/** PROTOCOL IDENTIFIER in the upper half of byte 0, valid where PIV is set in byte 1 (SPC-4, 7.6.1). */
const PROTOCOL_ISCSI = 0x50;
const PIV = 0x80;

/** Encodes a designator: code set, association and type, length, and content. */
function designator(
  codeSet: typeof CodeSet[keyof typeof CodeSet],
  association: typeof Association[keyof typeof Association],
  type: typeof DesignatorType[keyof typeof DesignatorType],
  content: Uint8Array,
): Uint8Array {
  const isProtocolSpecific = association !== Association.logicalUnit;
  const header = [
    (isProtocolSpecific ? PROTOCOL_ISCSI : 0) | codeSet,
    (isProtocolSpecific ? PIV : 0) | association | type,
    0,
    content.length,
  ];
  return Uint8Array.of(...header, ...content);
}

function portNameDesignator(portName: string): Uint8Array {
  const { scsiNameString } = DesignatorType;
  return designator(CodeSet.utf8, Association.targetPort, scsiNameString, encodeNameString(portName));
}

/**
 * Encodes 83h, Device Identification. The designators that never change are first; those of the port and target follow.
 */
function deviceIdentification({ logicalUnit, target }: ItlNexus): Uint8Array {
  const { identity, vendor } = logicalUnit;
  const portIdentifier = new Uint8Array(4);
  writeUint16(portIdentifier, 2, target.relativePortIdentifier);
  const designators = [
    designator(CodeSet.binary, Association.logicalUnit, DesignatorType.naa, encodeHex(identity.naa)),
    designator(
      CodeSet.ascii,
      Association.logicalUnit,
      DesignatorType.t10VendorId,
      encodeText(vendor + identity.serialNumber),
    ),
    portNameDesignator(target.portName),
    designator(
      CodeSet.binary,
      Association.targetPort,
      DesignatorType.relativeTargetPort,
      portIdentifier,
    ),
    designator(
      CodeSet.binary,
      Association.targetPort,
      DesignatorType.targetPortGroup,
      Uint8Array.of(0, 0, 0, TARGET_PORT_GROUP),
    ),
    designator(
      CodeSet.utf8,
      Association.targetDevice,
      DesignatorType.scsiNameString,
      encodeNameString(target.name),
    ),
  ];
  return Uint8Array.from(designators.flatMap((bytes) => [...bytes]));
}

/**
 * HEADSUP, ORDSUP and SIMPSUP: all task attributes except ACA. V_SUP: there is a volatile write cache. RTD_SUP: MODE
 * SELECT supports RTD.
 */
const TASK_ATTRIBUTES = 0x07;
const V_SUP = 0x01;
const RTD_SUP = 0x08;

/** Encodes 86h, Extended INQUIRY Data (SPC-4, 7.8.7): no protection information, priorities or referrals. */
function extendedInquiryData({ logicalUnit }: ItlNexus): Uint8Array {
  const content = new Uint8Array(0x3c);
  content[1] = TASK_ATTRIBUTES;
  content[2] = logicalUnit.modes.hasWriteCache ? V_SUP : 0;
  content[4] = RTD_SUP;
  return content;
}

/**
 * Encodes 87h, Mode Page Policy (SPC-4, 7.8.9): initiators share all pages and subpages (MODE PAGE POLICY 00b), and
 * each logical unit has its own.
 */
function modePagePolicy(): Uint8Array {
  return Uint8Array.of(0x3f, 0xff, 0, 0);
}

/**
 * Encodes 88h, SCSI Ports (SPC-4, 7.8.14), with one port.
 *
 * ```text
 *    6-7 | RELATIVE PORT IDENTIFIER
 *  10-11 | INITIATOR PORT TRANSPORTID LENGTH 0
 *  14-15 | TARGET PORT DESCRIPTORS LENGTH
 *    16- | target port descriptors
 * ```
 */
function scsiPorts({ target }: ItlNexus): Uint8Array {
  const name = portNameDesignator(target.portName);
  const content = new Uint8Array(12 + name.length);
  writeUint16(content, 2, target.relativePortIdentifier);
  writeUint16(content, 10, name.length);
  content.set(name, 12);
  return content;
}

/** OPTIMAL TRANSFER LENGTH in bytes. */
const OPTIMAL_TRANSFER_LENGTH_BYTES = 1024 * 1024;

/**
 * Encodes B0h, Block Limits (SBC-3, 6.6.3). The limits of unsupported commands are zero.
 *
 * ```text
 *      5 | MAXIMUM COMPARE AND WRITE LENGTH
 *    6-7 | OPTIMAL TRANSFER LENGTH GRANULARITY
 *   8-11 | MAXIMUM TRANSFER LENGTH
 *  12-15 | OPTIMAL TRANSFER LENGTH
 *  16-19 | MAXIMUM PREFETCH LENGTH
 *  20-43 | limits of UNMAP and WRITE SAME; WSNZ in byte 4 is zero
 *  44-47 | MAXIMUM ATOMIC TRANSFER LENGTH (from here on SBC-4)
 *  48-63 | atomic writes at any address, of any number of blocks, without boundaries
 * ```
 */
function blockLimits({ logicalUnit }: ItlNexus): Uint8Array {
  const { blockSizeBytes, physicalBlockSizeBytes, transferLengthMaxBlocks } = logicalUnit;
  const content = new Uint8Array(0x3c);
  writeUint16(content, 2, physicalBlockSizeBytes / blockSizeBytes);
  writeUint32(content, 4, transferLengthMaxBlocks);
  writeUint32(content, 8, OPTIMAL_TRANSFER_LENGTH_BYTES / blockSizeBytes);
  content[1] = compareAndWriteMaxBlocks(logicalUnit);
  writeUint32(content, 12, READ_AHEAD_MAX_BYTES / blockSizeBytes);
  content.set(encodeProvisioningLimits(logicalUnit), 16);
  writeUint32(content, 40, atomicWriteMaxBlocks(logicalUnit));
  return content;
}

/** MEDIUM ROTATION RATE of a non-rotating medium. */
const NON_ROTATING = 0x0001;

/** WABEREQ 01b: blocks erased by SANITIZE can be read before they are written. */
const WABEREQ = 0x40;

/** Encodes B1h, Block Device Characteristics (SBC-3, 6.6.2). */
function blockDeviceCharacteristics(): Uint8Array {
  const content = new Uint8Array(0x3c);
  writeUint16(content, 0, NON_ROTATING);
  content[3] = WABEREQ;
  return content;
}

/** Encodes B2h, Logical Block Provisioning (SBC-3, 6.6.4). */
function logicalBlockProvisioning({ logicalUnit }: ItlNexus): Uint8Array {
  return encodeProvisioningPage(logicalUnit);
}

function encodeText(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function encodeHex(digits: string): Uint8Array {
  return Uint8Array.from(digits.match(/../g)!, (pair) => Number.parseInt(pair, 16));
}

/** Encodes a SCSI name string: terminated by a null character, and padded with more to a multiple of four. */
function encodeNameString(name: string): Uint8Array {
  const text = encodeText(name);
  const padded = new Uint8Array(Math.ceil((text.length + 1) / 4) * 4);
  padded.set(text);
  return padded;
}
