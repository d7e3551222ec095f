/**
 * Log pages (SPC-4, 7.3): a header, then log parameters or a list of pages.
 *
 * ```text
 *   0  | DS 1 (nothing is saved), SPF, page code
 *   1  | subpage code
 *  2-3 | page length
 *   4- | parameters
 *
 *  0-1 | parameter code
 *   2  | TSD 1 (it is not saved), FORMAT AND LINKING: 00b a counter, 11b a list in binary
 *   3  | parameter length
 *   4- | value
 * ```
 */
import { writeUint16, writeUint64 } from "../../bytes/big_endian.ts";
import type { ErrorCounter } from "../counters/error_counters.ts";
import type { LogicalUnit } from "../logical_unit.ts";
import { encodeResources } from "./provisioning.ts";

/** FORMAT AND LINKING of a log parameter. */
const COUNTER = 0x00;
const BINARY_LIST = 0x03;

/** One log parameter. */
export interface LogParameter {
  readonly code: number;
  readonly format: typeof COUNTER | typeof BINARY_LIST;
  readonly value: Uint8Array;
}

/** A log page that consists of parameters. */
interface LogPage {
  readonly code: number;
  /** The page holds counters. It has cumulative values only, and no thresholds (PC in the CDB). */
  readonly counts: boolean;
  /**
   * Returns the parameters in ascending order of their codes; undefined when the logical unit does not have the page.
   */
  readonly parameters: (unit: LogicalUnit) => readonly LogParameter[] | undefined;
}

/** The pages in ascending order of their codes. */
const PAGES: readonly LogPage[] = [
  /** Write, Read and Verify Error Counters (SPC-4, 7.3.6). */
  { code: 0x02, counts: true, parameters: ({ counters }) => errorCounters(counters.write) },
  { code: 0x03, counts: true, parameters: ({ counters }) => errorCounters(counters.read) },
  { code: 0x05, counts: true, parameters: ({ counters }) => errorCounters(counters.verify) },
  /** Logical Block Provisioning (SBC-3, 6.4.5). */
  { code: 0x0c, counts: false, parameters: logicalBlockProvisioning },
  /** Informational Exceptions (SPC-4, 7.3.8). */
  { code: 0x2f, counts: false, parameters: informationalExceptions },
];

/** The page code of Supported Log Pages, and the subpage code of the lists of subpages (SPC-4, 7.3.15 to 7.3.17). */
const SUPPORTED_PAGES = 0x00;
const SUPPORTED_SUBPAGES = 0xff;

/** TSD: the parameter is not saved. GLTSD of the control mode page is zero, so each parameter sets it (SPC-4, 7.3). */
const TSD = 0x20;

const DS = 0x80;
const SPF = 0x40;
const HEADER_LENGTH_BYTES = 4;

/**
 * Parameter codes of the error counters. The other counters are unknown, because the medium corrects errors by itself.
 */
const TOTAL_BYTES_PROCESSED = 0x0005;
const TOTAL_UNCORRECTED_ERRORS = 0x0006;

function counter(code: number, count: number): LogParameter {
  const value = new Uint8Array(8);
  writeUint64(value, 0, count);
  return { code, format: COUNTER, value };
}

function errorCounters({ bytes, uncorrectedErrors }: ErrorCounter): readonly LogParameter[] {
  return [counter(TOTAL_BYTES_PROCESSED, bytes), counter(TOTAL_UNCORRECTED_ERRORS, uncorrectedErrors)];
}

/** Returns undefined when the unit is fully provisioned or its space is unknown. */
function logicalBlockProvisioning({ canUnmap, space }: LogicalUnit): readonly LogParameter[] | undefined {
  if (!canUnmap || space === undefined) return undefined;
  return encodeResources(space).map(({ code, value }) => ({ code, format: BINARY_LIST, value }));
}

/** MOST RECENT TEMPERATURE READING without a thermometer. */
const NO_TEMPERATURE = 0xff;

/** Returns the parameter that reports no exception, as DEXCPT in the mode page says, and no temperature. */
function informationalExceptions(): readonly LogParameter[] {
  return [{ code: 0x0000, format: BINARY_LIST, value: Uint8Array.of(0, 0, NO_TEMPERATURE, 0) }];
}

function encodeParameter({ code, format, value }: LogParameter): number[] {
  const header = new Uint8Array(4);
  writeUint16(header, 0, code);
  header[2] = TSD | format;
  header[3] = value.length;
  return [...header, ...value];
}

function encodePage(code: number, subpage: number, content: readonly number[]): Uint8Array {
  const page = new Uint8Array(HEADER_LENGTH_BYTES + content.length);
  page[0] = code | (subpage === 0 ? 0 : SPF) | (code === SUPPORTED_PAGES || subpage !== 0 ? 0 : DS);
  page[1] = subpage;
  writeUint16(page, 2, content.length);
  page.set(content, HEADER_LENGTH_BYTES);
  return page;
}

/** Returns the codes of the pages of a logical unit, in ascending order. */
function supportedCodes(unit: LogicalUnit): number[] {
  const codes = PAGES.filter(({ parameters }) => parameters(unit) !== undefined).map(({ code }) => code);
  return [SUPPORTED_PAGES, ...codes];
}

/**
 * Encodes the list of supported pages, or of pages and subpages, for all pages or for one. Returns undefined when there
 * is no such list.
 */
function encodeSupported(unit: LogicalUnit, code: number, subpage: number): Uint8Array | undefined {
  const codes = supportedCodes(unit);
  if (subpage === 0) return encodePage(code, 0, codes);
  const entries = [...codes.map((page) => [page, 0]), ...codes.map((page) => [page, SUPPORTED_SUBPAGES])]
    .filter(([page]) => code === SUPPORTED_PAGES || code === page)
    .toSorted(([a = 0], [b = 0]) => a - b);
  return entries.length === 0 ? undefined : encodePage(code, subpage, entries.flat());
}

/** The selection of LOG SENSE. */
export interface LogSelection {
  readonly code: number;
  readonly subpage: number;
  /** The code of the first parameter to send. */
  readonly parameterPointer: number;
  /** The current cumulative values are requested. */
  readonly isCumulative: boolean;
}

/** The field of a selection that is in error. */
export type LogFault = "page" | "subpage" | "pageControl" | "parameterPointer";

/** Encodes the selected log page, or returns the field that is in error. */
export function encodeLogPage(unit: LogicalUnit, selection: LogSelection): Uint8Array | LogFault {
  const { code, subpage, parameterPointer, isCumulative } = selection;
  if (subpage === SUPPORTED_SUBPAGES || (code === SUPPORTED_PAGES && subpage === 0)) {
    const list = encodeSupported(unit, code, subpage);
    if (list === undefined) return "page";
    return parameterPointer === 0 ? list : "parameterPointer";
  }
  const page = PAGES.find((candidate) => candidate.code === code);
  const parameters = page?.parameters(unit);
  if (page === undefined || parameters === undefined) return code === SUPPORTED_PAGES ? "subpage" : "page";
  if (subpage !== 0) return "subpage";
  if (page.counts && !isCumulative) return "pageControl";
  const wanted = parameters.filter((parameter) => parameter.code >= parameterPointer);
  return wanted.length === 0 ? "parameterPointer" : encodePage(code, 0, wanted.flatMap(encodeParameter));
}
