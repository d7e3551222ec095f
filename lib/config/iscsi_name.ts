/**
 * Names of iSCSI nodes (RFC 7143, 4.2.7), and the stringprep profile that makes equal names equal (RFC 3722): map,
 * normalize, and then look for what is prohibited.
 */

/** Most bytes of a name in UTF-8 (RFC 7143, 4.2.7.1). */
export const ISCSI_NAME_BYTES_MAX = 223;

/** Longest text that is looked at: folding makes names shorter, too, but not by so much. */
const TEXT_LENGTH_MAX = 4 * ISCSI_NAME_BYTES_MAX;

/** Characters that are mapped to nothing (RFC 3454, B.1): hyphens and joiners that are not seen, and variations. */
const INVISIBLE = /[\u00ad\u034f\u1806\u180b-\u180d\u200b-\u200d\u2060\ufe00-\ufe0f\ufeff]/gu;

/**
 * Characters that no name may have, once it is folded: of ASCII all but letters, digits and `-.:` (RFC 3722, 6.1),
 * anything that is a space, a control, a formatting character or not assigned, U+3002, which many take for a dot, and
 * what stands for other text (RFC 3454, C.6 and C.7). RFC 3722 does not permit `_` either, but initiators that append
 * the name of a host or of a virtual machine send it, and it can only mean itself.
 */
const PROHIBITED = /[^a-z0-9\-.:_\u0080-\u{10ffff}]|[\p{C}\p{Z}\u3002\ufffc\ufffd\u2ff0-\u2ffb]/u;

/**
 * Letters that are written from right to left (RFC 3454, D.1). Text that has one must begin and end with one
 * (RFC 3454, 6), which no iSCSI name does: all begin with Latin letters.
 */
const RIGHT_TO_LEFT =
  /[\u061b\u061f\u0640]|(?![\p{M}\p{N}])[\p{Script=Hebrew}\p{Script=Arabic}\p{Script=Syriac}\p{Script=Thaana}]/u;

/**
 * The form in which names are compared (RFC 3722, 3 and 4), whether or not it is a good name. A text that is much too
 * long for one stays as it is: with many combining marks, normalizing takes time by the square of its length.
 */
export function foldIscsiName(name: string): string {
  if (name.length > TEXT_LENGTH_MAX) return name;
  const visible = name.replaceAll(INVISIBLE, "").normalize("NFKC");
  // Character by character: as a whole, a word would get another sigma at its end.
  return Array.from(visible, foldCase).join("").normalize("NFKC");
}

/** Folds the case of a character (RFC 3454, B.2): by way of capitals, so that sharp s is the two that it stands for. */
function foldCase(character: string): string {
  // The capital of a dotless i is that of another letter.
  return (character === "\u0131" ? character : character.toUpperCase()).toLowerCase();
}

/**
 * What keeps a folded name from being an iSCSI name, as the end of a sentence; undefined for a good one.
 *
 * The forms are `iqn.` (RFC 7143, 4.2.7.4), `eui.` (4.2.7.5) and `naa.` (4.2.7.6).
 */
export function iscsiNameProblem(name: string): string | undefined {
  if (new TextEncoder().encode(name).length > ISCSI_NAME_BYTES_MAX) {
    return `name is longer than ${ISCSI_NAME_BYTES_MAX} bytes`;
  }
  const prohibited = (PROHIBITED.exec(name) ?? RIGHT_TO_LEFT.exec(name))?.[0];
  if (prohibited !== undefined) return `name contains ${JSON.stringify(prohibited)}`;
  if (name.startsWith("iqn.")) {
    const isForm = /^iqn\.\d{4}-(0[1-9]|1[0-2])\.[^.:_]+(\.[^.:_]+)*(:|$)/.test(name);
    return isForm ? undefined : 'write it as "iqn.YEAR-MONTH.REVERSED-DOMAIN:REST"';
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
