/** Names of iSCSI nodes (RFC 7143, 4.2.7). */

/** Most bytes of a name in UTF-8 (RFC 7143, 4.2.7.1). */
export const ISCSI_NAME_BYTES_MAX = 223;

/**
 * The form in which names are compared: the mapping and normalization of RFC 3722, of which NFKC and lower case are
 * all that matters for names that occur.
 */
export function foldIscsiName(name: string): string {
  return name.normalize("NFKC").toLowerCase().normalize("NFKC");
}

/**
 * What keeps a folded name from being an iSCSI name, as the end of a sentence; undefined for a good one.
 *
 * The forms are `iqn.` (RFC 7143, 4.2.7.4), `eui.` (4.2.7.5) and `naa.` (4.2.7.6). RFC 3722 does not permit `_`,
 * but initiators that append the name of a host or of a virtual machine send it, and it can only mean itself.
 */
export function iscsiNameProblem(name: string): string | undefined {
  if (new TextEncoder().encode(name).length > ISCSI_NAME_BYTES_MAX) {
    return `name is longer than ${ISCSI_NAME_BYTES_MAX} bytes`;
  }
  const prohibited = /[^a-z0-9\-.:_\u0080-\u{10ffff}]|[\p{C}\p{Z}\u3002]/u.exec(name)?.[0];
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
