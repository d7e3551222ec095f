import { assertEquals } from "@std/assert";
import { quoteWord } from "../../lib/base/quoted_words.ts";
import { readInitiatorNames } from "../../lib/config/initiator_list.ts";

const KVM = "iqn.2008-11.org.linux-kvm";

function problemsOf(list: string): string[] {
  return readInitiatorNames(list).problems.map(({ entry, problem }) => `${entry ?? "list"}: ${problem}`);
}

Deno.test("readInitiatorNames() reads names with and without quotation marks, folded and once", () => {
  const rows = [
    [`${KVM}:a`, [`${KVM}:a`]],
    [` ${KVM}:a   ${KVM}:B\t${KVM}:A `, [`${KVM}:a`, `${KVM}:b`]],
    [`"${KVM}:Web Server 1" ${KVM}:vm(1) '${KVM}:a, b'`, [
      `${KVM}:web server 1`,
      `${KVM}:vm(1)`,
      `${KVM}:a, b`,
    ]],
    [`"${KVM}:WEB server 1" "${KVM}:web SERVER 1"`, [`${KVM}:web server 1`]],
    [`"${KVM}:\\"x\\" \\\\ \\$y" '${KVM}:"z"'`, [`${KVM}:"x" \\ $y`, `${KVM}:"z"`]],
    // A quotation around the whole list.
    [`"${KVM}:a ${KVM}:b  EUI.02004567A425678D "`, [`${KVM}:a`, `${KVM}:b`, "eui.02004567a425678d"]],
    [`"${KVM}:Web Server 1 ${KVM}:b"`, [`${KVM}:web server 1`, `${KVM}:b`]],
  ] as const;
  for (const [list, names] of rows) {
    assertEquals(readInitiatorNames(list), { names: names as unknown as string[], problems: [] }, list);
  }
});

Deno.test("readInitiatorNames() reads every name as quoteWord() writes it", () => {
  for (const character of " !\"#$%&'()*+,/;<=>?@[\\]^`{|}~_\u00e4\u732b") {
    const names = [`${KVM}:a${character}b`, `${KVM}:${character}c`];
    assertEquals(readInitiatorNames(names.map(quoteWord).join(" ")), { names, problems: [] }, character);
  }
});

Deno.test("readInitiatorNames() returns the problem of a list, or of each entry", () => {
  const separator =
    'list: separate the entries with spaces only; write a name with "," or ";" in quotation marks';
  const quotation = 'list: close the quotation marks, and write \\" and \\\\ for " and \\ within them';
  const prefix = 'name must begin with "iqn.", "eui." or "naa."';
  const rows = [
    [`${KVM}:a, ${KVM}:b`, [separator]],
    [`${KVM}:a,b`, [separator]],
    [`"${KVM}:a, ${KVM}:b"`, [separator]],
    [`"${KVM}:a,"`, [separator]],
    [`"${KVM}:a,${KVM}:b"`, [`${KVM}:a,${KVM}:b: name contains ",iqn."`]],
    [`"${KVM}:a`, [quotation]],
    [`${KVM}:a"`, [quotation]],
    [`${KVM}:it's`, [quotation]],
    [`${KVM}:Web Server`, [`Server: ${prefix}; write a name with spaces in quotation marks`]],
    [`host ${KVM}:a`, [`host: ${prefix}`]],
    ['"a b" eui.1', [`a b: ${prefix}`, 'eui.1: write "eui." and 16 hexadecimal digits']],
  ] as const;
  for (const [list, problems] of rows) assertEquals(problemsOf(list), problems as unknown as string[], list);
});
