/** Readers of option values: each converts a text to a typed value, or reports the text and returns undefined. */
import { isAbsolute, resolve } from "@std/path";
import {
  addressFamily,
  formatPortal,
  type Network,
  parseNetwork,
  parsePortal,
  plainAddress,
} from "../bytes/network.ts";
import { CHAP_ALGORITHMS, type ChapAlgorithm, chapNameProblem } from "./chap.ts";
import type { Endpoint } from "./config.ts";
import { quote, type Report } from "./diagnostics.ts";
import { foldIscsiName, iscsiNameProblem } from "./iscsi_name.ts";
import { readInitiatorNames } from "./initiator_list.ts";
import { PERMANENTLY, type Redirection } from "./redirection.ts";
import { readSecretText, type Secret } from "./secret.ts";
import { parseSize, SIZE_OF_DEVICE } from "./size.ts";

/** The most bytes of a text value on the wire (RFC 7143, 6.1), and so of the friendly name. */
const TEXT_BYTES_MAX = 255;
/** The most LUNs of a target: the range of a LUN field in single-level peripheral form (SAM-5, 4.7.7.2). */
const LOGICAL_UNITS_MAX = 256;
/** The port of a TargetAddress that names none (RFC 7143, 13.8). */
const DEFAULT_PORT = 3260;

/** This program's word for an absent option. As a name it is a mistake. */
export const NOTHING = "none";

/** The most characters of a serial number. Every designator made of one fits into 255 bytes (SPC-4, 7.8.6). */
export const SERIAL_NUMBER_LENGTH_MAX = 64;

/** An NAA identifier: a type and the digits that it has. */
const NAA = /^(?:[235][0-9a-f]{15}|6[0-9a-f]{31})$/i;

/** Words for everyone, in the lists of networks and initiators. In this conf, the absence of the list means that. */
const EVERYONE = /^(\*|all|any|every(one|body)?)$/i;
/** Addresses that stand for every address, in the form of `plainAddress`. */
const EVERY_ADDRESS: readonly (string | undefined)[] = ["0.0.0.0", "::"];

/** A size: a number, and a unit after a space or none. */
const SIZE_ENTRY = /\d[\d.,]*\s+[KMGTP](?:i?B)?(?=\s|$)|\S+/gi;
/** A comma between the digits of one size. */
const COMMA_IN_NUMBER = /(?<=(?:^|\s)\d+),(?=\d+\s*[KMGTP])/gi;

const BLOCK_SIZE_BYTES = [512, 1024, 2048, 4096, 8192, 16_384, 32_768, 65_536];

const PORT_MAX = 65_535;
/** The default address of the metrics, which show who uses which target. */
const LOOPBACK = "127.0.0.1";

const BOOLEANS: ReadonlyMap<string, boolean> = new Map([
  ...["y", "yes", "true", "on", "1"].map((word) => [word, true] as const),
  ...["n", "no", "false", "off", "0"].map((word) => [word, false] as const),
]);

/** The report of problems with the value of an option. */
export interface ValueReport extends Report {
  /** The name of the option. */
  readonly option: string;
}

/** A reader of an option's value. It reports an invalid value, and returns undefined for it. */
export type ReadValue<T> = (text: string, report: ValueReport) => T | undefined;

/** Reads a text of a length that fits on the wire. */
export function readText(text: string, report: ValueReport): string | undefined {
  const lengthBytes = new TextEncoder().encode(text).length;
  if (lengthBytes <= TEXT_BYTES_MAX) return text;
  const problem = `it is ${lengthBytes} bytes long; write at most ${TEXT_BYTES_MAX}`;
  report.error(`Cannot use ${report.option} ${quote(text)}: ${problem}`);
  return undefined;
}

/** Reads a name, which is checked where it is used. */
export function readName(text: string): string {
  return text;
}

/** Reads a yes or no, in any of the words of `BOOLEANS`. */
export function readBoolean(text: string, report: ValueReport): boolean | undefined {
  const value = BOOLEANS.get(text.toLowerCase());
  if (value === undefined) report.error(`Cannot use ${report.option} ${quote(text)}: write y or n`);
  return value;
}

/** Returns a reader of whole numbers in decimal digits. */
export function integerWithin(min: number, max: number): ReadValue<number> {
  return function readInteger(text, report): number | undefined {
    const value = /^\d{1,15}$/.test(text) ? Number(text) : undefined;
    if (value !== undefined && value >= min && value <= max) return value;
    report.error(`Cannot use ${report.option} ${quote(text)}: write a whole number from ${min} to ${max}`);
    return undefined;
  };
}

/** Reads `PORT` on loopback, `ADDRESS:PORT`, or `[ADDRESS]:PORT` for an IPv6 address. */
export function readEndpoint(text: string, report: ValueReport): Endpoint | undefined {
  const [, bracketed, plain, port] = /^(?:\[([^\]]*)\]:|([^:]*):)?(\d{1,5})$/.exec(text) ?? [];
  const address = plainAddress(bracketed ?? plain ?? LOOPBACK);
  const isAddress = bracketed === undefined
    ? addressFamily(address) !== undefined
    : addressFamily(bracketed) === "ipv6";
  if (isAddress && Number(port) >= 1 && Number(port) <= PORT_MAX) return { address, port: Number(port) };
  const remedy = "write PORT, ADDRESS:PORT or [ADDRESS]:PORT, with an IP address and a port from 1 to 65535";
  report.error(`Cannot use ${report.option} ${quote(text)}: ${remedy}`);
  return undefined;
}

/** Returns a reader that accepts the given numbers, in decimal digits. */
export function oneOf(numbers: readonly number[]): ReadValue<number> {
  return function readChoice(text, report): number | undefined {
    const value = numbers.find((number) => String(number) === text);
    if (value !== undefined) return value;
    const choices = `${numbers.slice(0, -1).join(", ")} or ${numbers.at(-1)}`;
    report.error(`Cannot use ${report.option} ${quote(text)}: write ${choices}`);
    return undefined;
  };
}

/** Reads a block size in bytes. */
export const readBlockSize: ReadValue<number> = oneOf(BLOCK_SIZE_BYTES);

/** Returns a reader of printable ASCII (SPC-4, 4.4.1) for a field of the given width. */
export function printableUpTo(lengthMax: number): ReadValue<string> {
  return function readPrintable(text, report): string | undefined {
    if (/^[\x20-\x7e]*$/.test(text) && text.length <= lengthMax) return text;
    const remedy = `write up to ${lengthMax} printable ASCII characters`;
    report.error(`Cannot use ${report.option} ${quote(text)}: ${remedy}`);
    return undefined;
  };
}

/**
 * Reads NAA identifiers (SPC-4, 7.8.6.6), one for each LUN, and folds them: 16 hexadecimal digits for the types 2h, 3h
 * and 5h, 32 for 6h.
 */
export function readNaas(text: string, report: ValueReport): readonly string[] | undefined {
  return readEach(splitList(text, report), (entry) => {
    if (NAA.test(entry)) return entry.toLowerCase();
    const meant = entry.replace(/^(?:naa\.|0x)/i, "").replaceAll(/[:-]/g, "");
    // The names of udev and multipath have the type of the designator, 3, before an NAA identifier.
    const candidate = [meant, meant.replace(/^3/, "")].find((candidate) => NAA.test(candidate));
    const remedy = candidate === undefined
      ? "write 16 hexadecimal digits that begin with 2, 3 or 5, or 32 that begin with 6"
      : `did you mean "${candidate.toLowerCase()}"?`;
    report.error(`Cannot use ${report.option} ${quote(entry)}: ${remedy}`);
    return undefined;
  });
}

/** Reads the absolute path of a folder. The root is refused: rights to it would be rights to every file. */
export function readFolder(text: string, report: ValueReport): string | undefined {
  if (isAbsolute(text) && resolve(text) === "/") {
    report.error(
      `Cannot use ${report.option} ${
        quote(text)
      }: it contains every file; write the path of a folder below it`,
    );
    return undefined;
  }
  if (isAbsolute(text)) return resolve(text);
  report.error(`Cannot use ${report.option} ${quote(text)}: write its absolute path, which begins with "/"`);
  return undefined;
}

/** Reads a path that ends in the name of a file. */
export function readFile(text: string, report: ValueReport): string | undefined {
  if (!/(^|\/)\.{0,2}$/.test(text)) return text;
  report.error(`Cannot use file ${quote(text)}: it is the name of a folder; write the name of a file`);
  return undefined;
}

/** Reads the absolute path of a file. */
export function readAbsoluteFile(text: string, report: ValueReport): string | undefined {
  const path = isAbsolute(text) ? readFile(text, report) : undefined;
  if (isAbsolute(text)) return path && resolve(path);
  report.error(`Cannot use ${report.option} ${quote(text)}: write its absolute path, which begins with "/"`);
  return undefined;
}

/** Reads the name of a CHAP user. */
export function readChapName(text: string, report: ValueReport): string | undefined {
  const problem = chapNameProblem(text);
  if (problem === undefined) return text;
  report.error(`Cannot use ${report.option} ${quote(text)}: ${problem}`);
  return undefined;
}

/** Reads a CHAP secret, which no message repeats. */
export function readSecret(text: string, report: ValueReport): Secret | undefined {
  const { secret, problem, doubt } = readSecretText(text);
  if (problem !== undefined) report.error(`Cannot use ${report.option}: ${problem}`);
  if (doubt !== undefined) report.warning(`Value of "${report.option}" ${doubt}`);
  return secret;
}

/** Reads the name of a CHAP algorithm. */
export function readAlgorithm(text: string, report: ValueReport): ChapAlgorithm | undefined {
  const value = CHAP_ALGORITHMS.find((name) => name === text.toLowerCase());
  if (value !== undefined) return value;
  const choices = `${CHAP_ALGORITHMS.slice(0, -1).join(", ")} or ${CHAP_ALGORITHMS.at(-1)}`;
  report.error(`Cannot use ${report.option} ${quote(text)}: write ${choices}`);
  return undefined;
}

/** Reads the address of another server, after the word `permanently` if the target stays there. */
export function readRedirection(text: string, report: ValueReport): Redirection | undefined {
  if (text.toLowerCase() === NOTHING) {
    const remedy =
      `remove the line to serve the target here; write "${NOTHING}:${DEFAULT_PORT}" for a host of that name`;
    report.error(`Cannot use ${report.option} ${quote(text)}: ${remedy}`);
    return undefined;
  }
  const words = text.split(/\s+/);
  const isPermanent = words[0]!.toLowerCase() === PERMANENTLY;
  const portal = parsePortal(words.slice(isPermanent ? 1 : 0).join(" "), DEFAULT_PORT);
  if (portal !== undefined) return { targetAddress: formatPortal(portal.address, portal.port), isPermanent };
  const remedy =
    "write ADDRESS or ADDRESS:PORT, an IPv6 address in square brackets, or the name of a host, " +
    `after "${PERMANENTLY}" if the target has moved for good`;
  report.error(`Cannot use ${report.option} ${quote(text)}: ${remedy}`);
  return undefined;
}

/** Reads the base of iSCSI names, and folds it. */
export function readNode(text: string, report: ValueReport): string | undefined {
  const name = foldIscsiName(text);
  const problem = !name.startsWith("iqn.")
    ? 'write it as "iqn.YEAR-MONTH.REVERSED-DOMAIN"'
    : name.endsWith(":")
    ? 'remove the last ":"; a target\'s name is appended with a ":" of its own'
    : iscsiNameProblem(name);
  if (problem !== undefined) {
    report.error(`Cannot use node ${quote(text)}: ${problem}`);
    return undefined;
  }
  if (name !== text) report.warning(`Node ${quote(text)} is used as ${quote(name)}; write it that way`);
  return name;
}

/** Reads sizes in bytes, one for each LUN; `device` is `SIZE_OF_DEVICE`. */
export function readSizes(text: string, report: ValueReport): readonly number[] | undefined {
  const entries = /[,;]/.test(text.replaceAll(COMMA_IN_NUMBER, ""))
    ? splitList(text, report)
    : text.match(SIZE_ENTRY) ?? undefined;
  if (entries !== undefined && entries.length > LOGICAL_UNITS_MAX) {
    report.error(`Cannot make ${entries.length} LUNs: write at most ${LOGICAL_UNITS_MAX} sizes`);
    return undefined;
  }
  return readEach(entries, (entry) => {
    if (entry.toLowerCase() === "device") return SIZE_OF_DEVICE;
    const size = parseSize(entry.replace(/\s+(?=[MGT]B$)/i, ""));
    if (size.problem !== undefined) report.error(`Cannot use size ${quote(entry)}: ${size.problem}`);
    else if (size.doubt !== undefined) report.warning(`Size ${quote(entry)} ${size.doubt}`);
    return size.sizeBytes;
  });
}

/** Reads networks and addresses. */
export function readNetworks(text: string, report: ValueReport): readonly Network[] | undefined {
  return readEach(splitList(text, report), (entry) => {
    const network = parseNetwork(entry);
    const isEvery = network?.prefixLength === undefined && EVERY_ADDRESS.includes(network?.address);
    if (EVERYONE.test(entry) || isEvery) {
      const remedy = "to serve all networks, remove the line, here and above the first section";
      report.error(`Cannot use network ${quote(entry)}: ${remedy}`);
      return undefined;
    }
    if (network === undefined) {
      const remedy = "write a network such as 192.168.100.0/24, or an address of this server";
      report.error(`Cannot use network ${quote(entry)}: ${remedy}`);
    } else if (network.prefixLength !== undefined && plainAddress(entry.split("/")[0]!) !== network.address) {
      const used = `${network.address}/${network.prefixLength}`;
      report.warning(`Network ${quote(entry)} is used as ${quote(used)}; write it that way`);
    }
    return network;
  });
}

/** Reads the names of initiators, folds them and removes duplicates. */
export function readInitiators(text: string, report: ValueReport): readonly string[] | undefined {
  const { names, problems } = readInitiatorNames(text);
  for (const { entry, problem } of problems) {
    const remedy = EVERYONE.test(entry ?? "")
      ? "to admit every initiator, remove the line, here and above the first section"
      : problem;
    report.error(
      entry === undefined
        ? `Cannot read ${report.option} ${quote(text)}: ${problem}`
        : `Cannot use initiator ${quote(entry)}: ${remedy}`,
    );
  }
  if (problems.length > 0) return undefined;
  for (const name of names.filter((name) => name.includes("*"))) {
    report.warning(`Initiator ${quote(name)} is no pattern: it admits this name only; write each name`);
  }
  return names;
}

function splitList(text: string, report: ValueReport): string[] | undefined {
  if (!/[,;]/.test(text)) return text.split(/\s+/);
  report.error(`Cannot read ${report.option} ${quote(text)}: separate the entries with spaces only`);
  return undefined;
}

/** Reads every entry, and so reports every invalid one; returns undefined when there is one. */
function readEach<T>(
  entries: readonly string[] | undefined,
  read: (entry: string) => T | undefined,
): T[] | undefined {
  const values = entries?.map(read);
  return values?.every((value) => value !== undefined) ? values : undefined;
}
