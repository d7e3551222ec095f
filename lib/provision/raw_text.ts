/** Decodes the escapes of the `--raw` output of util-linux: `\x20` is a space. */
export function unescapeRaw(text: string): string {
  const bytes = [...text.matchAll(/\\x([0-9a-f]{2})|[^]/g)].flatMap(([all, hex]) =>
    hex === undefined ? [...new TextEncoder().encode(all)] : [Number.parseInt(hex, 16)]
  );
  return new TextDecoder().decode(Uint8Array.from(bytes));
}
