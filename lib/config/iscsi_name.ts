/**
 * Names of iSCSI nodes (RFC 7143, 4.2.7), and the stringprep profile by which they are compared (RFC 3722): map,
 * normalize, then check for prohibited characters.
 *
 * Targets get names that the profile permits. Initiators may have others, as long as a name is never taken for another
 * one: QEMU, for example, puts the name of a virtual machine into that of its initiator.
 */
import { quoteWord } from "../base/quoted_words.ts";

/** The most bytes of a name in UTF-8 (RFC 7143, 4.2.7.1). */
export const ISCSI_NAME_BYTES_MAX = 223;

/** The longest text that is folded. Folding also shortens names, but by less than this factor. */
const TEXT_LENGTH_MAX = 4 * ISCSI_NAME_BYTES_MAX;

/** Characters that are removed (RFC 3454, B.1): invisible hyphens and joiners, and variation selectors. */
const INVISIBLE = /[\u00ad\u034f\u1806\u180b-\u180d\u200b-\u200d\u2060\ufe00-\ufe0f\ufeff]/gu;

/**
 * Characters prohibited in a folded name: ASCII other than letters, digits and `-.:` (RFC 3722, 6.1); spaces, control
 * and formatting characters, and unassigned ones; U+3002, which looks like a dot; and characters that describe other
 * text (RFC 3454, C.6 and C.7). RFC 3722 does not permit `_` either, but initiators that append the name of a host or
 * of a virtual machine send it, and it is unambiguous.
 */
const PROHIBITED = /[^a-z0-9\-.:_\u0080-\u{10ffff}]|[\p{C}\p{Z}\u3002\ufffc\ufffd\u2ff0-\u2ffb]/u;

/** Characters prohibited in the folded name of an initiator: as above, but printable ASCII is permitted. */
const PROHIBITED_IN_INITIATOR = /[A-Z]|(?! )[\p{C}\p{Z}\u3002\ufffc\ufffd\u2ff0-\u2ffb]/u;

/** The beginning of a second name within a name, which a list would separate from the first. */
const SECOND_NAME = /[ ,;](iqn|eui|naa)\./;

/** The separator between a name and an ISID in the name of a port (SPC-4, 7.6.4.6). */
const ISID_SEPARATOR = ",i,0x";

/**
 * Letters that are written from right to left (RFC 3454, D.1). Text that has one must begin and end with one
 * (RFC 3454, 6), which no iSCSI name does: all begin with Latin letters.
 */
const RIGHT_TO_LEFT =
  /[\u061b\u061f\u0640]|(?![\p{M}\p{N}])[\p{Script=Hebrew}\p{Script=Arabic}\p{Script=Syriac}\p{Script=Thaana}]/u;

/**
 * Returns the form in which names are compared (RFC 3722, 3 and 4), for valid and invalid names. A text that is much
 * too long is returned unchanged: with many combining marks, normalizing takes time by the square of the length.
 */
export function foldIscsiName(name: string): string {
  if (name.length > TEXT_LENGTH_MAX) return name;
  const visible = name.replaceAll(INVISIBLE, "").normalize("NFKC");
  // Character by character, because a whole word would get a final sigma.
  return Array.from(visible, foldCase).join("").normalize("NFKC");
}

/** Folds the case of a character (RFC 3454, B.2). By way of the upper case, a sharp s of either case becomes "ss". */
function foldCase(character: string): string {
  const lower = character.toLowerCase();
  // The upper case of a dotless i is that of the dotted i.
  return (lower === "\u0131" ? lower : lower.toUpperCase()).toLowerCase();
}

/**
 * Returns the problem with a folded name that cannot be an iSCSI name, as the end of a sentence; undefined for a valid
 * one.
 *
 * The forms are `iqn.` (RFC 7143, 4.2.7.4), `eui.` (4.2.7.5) and `naa.` (4.2.7.6).
 */
export function iscsiNameProblem(name: string): string | undefined {
  return contentProblem(name, PROHIBITED) ??
    formProblem(name, /^iqn\.\d{4}-(0[1-9]|1[0-2])\.[^.:_]+(\.[^.:_]+)*(:|$)/);
}

/**
 * Returns the problem with a folded name that cannot be the name of an initiator, as the end of a sentence; undefined
 * for a valid one. Any printable text may follow the month of an `iqn.` name, because nothing depends on it; the year
 * may be several, as in the name of DiscUtils, `iqn.2008-2010-04.discutils.codeplex.com`.
 */
export function initiatorNameProblem(name: string): string | undefined {
  return contentProblem(name, PROHIBITED_IN_INITIATOR) ?? ambiguityOf(name) ??
    formProblem(name, /^iqn\.(\d{4}-)+(0[1-9]|1[0-2])\../);
}

/**
 * Formats the folded name of an initiator for people, and so that the conf and a shell read it as one word: in double
 * quotes when it has a character that RFC 3722 prohibits.
 */
export function formatInitiatorName(name: string): string {
  return PROHIBITED.test(name) ? quoteWord(name) : name;
}

function contentProblem(name: string, prohibited: RegExp): string | undefined {
  if (new TextEncoder().encode(name).length > ISCSI_NAME_BYTES_MAX) {
    return `name is longer than ${ISCSI_NAME_BYTES_MAX} bytes`;
  }
  const character = (prohibited.exec(name) ?? RIGHT_TO_LEFT.exec(name))?.[0];
  return character && `name contains ${JSON.stringify(character)}`;
}

/** Returns the reason why a name could be taken for other names. */
function ambiguityOf(name: string): string | undefined {
  const second = SECOND_NAME.exec(name)?.[0] ?? (name.includes(ISID_SEPARATOR) ? ISID_SEPARATOR : undefined);
  if (second !== undefined) return `name contains ${JSON.stringify(second)}`;
  return name.endsWith(" ") ? "name ends with a space" : undefined;
}

/** Returns the problem with the form of a name; `iqn` is the form of those that begin so. */
function formProblem(name: string, iqn: RegExp): string | undefined {
  if (name.startsWith("iqn.")) {
    return iqn.test(name) ? undefined : 'write it as "iqn.YEAR-MONTH.REVERSED-DOMAIN:REST"';
  }
  if (name.startsWith("eui.")) {
    return /^eui\.[0-9a-f]{16}$/.test(name) ? undefined : 'write "eui." and 16 hexadecimal digits';
  }
  if (name.startsWith("naa.")) {
    const isForm = /^naa\.([0-9a-f]{16}|[0-9a-f]{32})$/.test(name);
    return isForm ? undefined : 'write "naa." and 16 or 32 hexadecimal digits';
  }
  return 'name must begin with "iqn.", "eui." or "naa."';
}
