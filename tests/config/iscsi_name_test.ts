import { assertEquals } from "@std/assert";
import {
  foldIscsiName,
  formatInitiatorName,
  initiatorNameProblem,
  iscsiNameProblem,
} from "../../lib/config/iscsi_name.ts";

Deno.test("foldIscsiName() folds letter case and compatible characters", () => {
  const rows = [
    ["iqn.1991-05.com.Microsoft:HOST-1", "iqn.1991-05.com.microsoft:host-1"],
    ["EUI.02004567A425678D", "eui.02004567a425678d"],
    ["iqn.2001-04.com.example:\uff33torage", "iqn.2001-04.com.example:storage"],
    ["iqn.2001-04.com.example:\u00c4", "iqn.2001-04.com.example:\u00e4"],
    ["iqn.2001-04.com.example:a\u0308", "iqn.2001-04.com.example:\u00e4"],
  ] as const;
  for (const [name, folded] of rows) {
    assertEquals(foldIscsiName(name), folded);
    assertEquals(foldIscsiName(folded), folded);
  }
});

Deno.test("foldIscsiName() maps, folds and normalizes by RFC 3722", () => {
  const rows = [
    ["soft\u00adhyphen\u200d\ufe0f\ufeff", "softhyphen"],
    ["Stra\u00dfe", "strasse"],
    ["STRA\u1e9eE", "strasse"],
    ["\u039f\u0394\u039f\u03a3", "\u03bf\u03b4\u03bf\u03c3"],
    ["\u03bf\u03b4\u03bf\u03c2", "\u03bf\u03b4\u03bf\u03c3"],
    ["\ufb03x", "ffix"],
    ["\u0130\u0131I", "i\u0307\u0131i"],
    ["\u2121", "tel"],
    ["\u017f\u212a", "sk"],
    ["\ud835\udc00", "a"],
    ["\u01c4", "d\u017e"],
    ["\u1f88", "\u1f00\u03b9"],
  ] as const;
  for (const [name, folded] of rows) {
    assertEquals(foldIscsiName(name), folded);
    assertEquals(foldIscsiName(folded), folded);
  }
});

Deno.test("foldIscsiName() leaves a folded name as it is, of whatever character", () => {
  // Otherwise a name that was saved, such as that of a registrant, would be another one when it is read.
  const name = (code: number): string => `iqn.2000-01.a:x${String.fromCharCode(code)}y`;
  for (let code = 0; code < 0x10000; code++) {
    const folded = foldIscsiName(name(code));
    if (initiatorNameProblem(folded) === undefined) {
      assertEquals(foldIscsiName(folded), folded, `U+${code.toString(16)}`);
    }
  }
});

Deno.test("foldIscsiName() spends no time on a text that is much too long for a name", () => {
  // In fullwidth letters, the longest name has three times its bytes.
  const wide = "\uff49\uff51\uff4e." + "\uff21".repeat(219);
  assertEquals(foldIscsiName(wide), "iqn." + "a".repeat(219));
  const text = "IQN." + "\u0300\u0316".repeat(16_000);
  assertEquals(foldIscsiName(text), text);
  assertEquals(iscsiNameProblem(text), "name is longer than 223 bytes");
});

Deno.test("iscsiNameProblem() prohibits what RFC 3722 prohibits in a name of any script", () => {
  const prohibited = [
    // Spaces, controls, private use, no characters, half a pair, tags.
    ..."\u00a0\u2003\u3000\u0085\u2028\u2062\ue000\ufffe\u{1ffff}\u{e0061}",
    "\ud800",
    // Not for text, and what describes characters instead of being one.
    ..."\ufff9\ufffc\ufffd\u2ff0\u2ffb",
    // What changes the direction, and letters that are written in the other one.
    ..."\u200e\u202e\u206a\u05d0\u0627\u0710\u0780\u0640",
    // ASCII that is no letter, digit or one of "-.:".
    ..." !\"#$%&'()*+,/;<=>?@[\\]^`{|}~\u0000\u001f\u007f",
    "\u3002",
  ];
  for (const character of prohibited) {
    const name = `iqn.2001-04.com.example:x${character}y`;
    assertEquals(iscsiNameProblem(name), `name contains ${JSON.stringify(character)}`);
  }
  for (const character of "\u00e4\u03c3\u0436\u0e01\u4e2d\uac00\u{20000}") {
    assertEquals(iscsiNameProblem(`iqn.2001-04.com.example:x${character}y`), undefined);
  }
});

Deno.test("iscsiNameProblem() counts bytes of the folded name, not characters", () => {
  const room = 223 - "iqn.2001-04.com.example:".length;
  const name = (count: number): string => `iqn.2001-04.com.example:${"\u4e2d".repeat(count)}`;
  assertEquals(iscsiNameProblem(name(Math.floor(room / 3))), undefined);
  assertEquals(iscsiNameProblem(name(Math.floor(room / 3) + 1)), "name is longer than 223 bytes");
  const written = `iqn.2001-04.com.example:${"A\u00ad".repeat(room)}`;
  assertEquals(iscsiNameProblem(foldIscsiName(written)), undefined);
});

Deno.test("iscsiNameProblem() accepts iqn., eui. and naa. names", () => {
  const names = [
    "iqn.2001-04.com.example",
    "iqn.2001-04.com.example:storage.disk2.sys1.xyz",
    "iqn.2001-04.com.example.storage:a:b:c",
    "iqn.1994-05.com.redhat:8a3f2b",
    "iqn.2008-11.org.linux-kvm:my_guest",
    "iqn.2001-04.com.example:\u00e4\u732b",
    "eui.02004567a425678d",
    "naa.52004567ba64678d",
    "naa.62004567ba64678d0123456789abcdef",
    `iqn.2001-04.com.example:${"a".repeat(223 - 24)}`,
  ];
  for (const name of names) assertEquals(iscsiNameProblem(name), undefined, name);
});

Deno.test("iscsiNameProblem() returns the problem with a name", () => {
  const iqn = 'write it as "iqn.YEAR-MONTH.REVERSED-DOMAIN:REST"';
  const eui = 'write "eui." and 16 hexadecimal digits';
  const naa = 'write "naa." and 16 or 32 hexadecimal digits';
  const prefix = 'name must begin with "iqn.", "eui." or "naa."';
  const rows = [
    ["", prefix],
    ["xenserver", prefix],
    ["iqn", prefix],
    ["iqn2001-04.com.example", prefix],
    ["iqn.", iqn],
    ["iqn.foo", iqn],
    ["iqn.2001-00.com.example", iqn],
    ["iqn.2001-13.com.example", iqn],
    ["iqn.01-04.com.example", iqn],
    ["iqn.2001-04", iqn],
    ["iqn.2001-04.", iqn],
    ["iqn.2001-04.:a", iqn],
    ["iqn.2001-04.com..example", iqn],
    ["iqn.2001-04.com.example.", iqn],
    ["iqn.2001-04.com.my_host:a", iqn],
    ["eui.02004567a425678", eui],
    ["eui.02004567a425678g", eui],
    ["naa.52004567ba64678d0", naa],
    ["iqn.2001-04.com.example:a b", 'name contains " "'],
    ["iqn.2001-04.com.example:a,b", 'name contains ","'],
    ["iqn.2001-04.com.example:a/b", 'name contains "/"'],
    ["iqn.2001-04.com.example:A", 'name contains "A"'],
    ["iqn.2001-04.com.example:\0", 'name contains "\\u0000"'],
    ["iqn.2001-04.com.example:\u00a0", 'name contains "\u00a0"'],
    ["iqn.2001-04.com.example:\u3002", 'name contains "\u3002"'],
    ["iqn.2001-04.com.example:\ud800", 'name contains "\\ud800"'],
    [`iqn.2001-04.com.example:${"a".repeat(224 - 24)}`, "name is longer than 223 bytes"],
    [`iqn.2001-04.com.example:${"\u00e4".repeat(100)}`, "name is longer than 223 bytes"],
  ] as const;
  for (const [name, problem] of rows) assertEquals(iscsiNameProblem(name), problem, name);
});

Deno.test("initiatorNameProblem() accepts any printable name of the three types", () => {
  const names = [
    ..." !\"#$%&'()*+,/;<=>?@[\\]^`{|}~_\u00e4\u732b",
    "web server 1",
    "a,b;c",
    "iqn.2000-01.b:c",
    "a,i,1",
  ].map((rest) => `iqn.2008-11.org.linux-kvm:${rest}.`);
  for (
    const name of [
      ...names,
      "iqn.2001-04.com.my_host:a",
      "iqn.2001-04.com.exam ple",
      "iqn.2001-04.:a",
      "iqn.2008-2010-04.discutils.codeplex.com",
      "eui.02004567a425678d",
      "naa.52004567ba64678d",
    ]
  ) {
    assertEquals(initiatorNameProblem(name), undefined, name);
  }
});

Deno.test("initiatorNameProblem() refuses a name that could be taken for another, or that is none", () => {
  const iqn = 'write it as "iqn.YEAR-MONTH.REVERSED-DOMAIN:REST"';
  const rows = [
    ["", 'name must begin with "iqn.", "eui." or "naa."'],
    ["web server 1", 'name must begin with "iqn.", "eui." or "naa."'],
    ["iqn.web server 1", iqn],
    ["iqn.2001-13.com.example:a", iqn],
    ["iqn.2001-04.", iqn],
    ["eui.02004567a425678", 'write "eui." and 16 hexadecimal digits'],
    ["naa.5 004567ba64678d", 'write "naa." and 16 or 32 hexadecimal digits'],
    ["iqn.2001-04.com.example:A", 'name contains "A"'],
    ["iqn.2001-04.com.example:a ", "name ends with a space"],
    ["iqn.2001-04.com.example:a iqn.2001-04.com.example:b", 'name contains " iqn."'],
    ["iqn.2001-04.com.example:a,eui.02004567a425678d", 'name contains ",eui."'],
    ["iqn.2001-04.com.example:a;naa.52004567ba64678d", 'name contains ";naa."'],
    ["iqn.2001-04.com.example:a,i,0x1", 'name contains ",i,0x"'],
    ["iqn.2001-04.com.example:a\tb", 'name contains "\\t"'],
    ["iqn.2001-04.com.example:a\nb", 'name contains "\\n"'],
    ["iqn.2001-04.com.example:a\0", 'name contains "\\u0000"'],
    ["iqn.2001-04.com.example:a\u00a0b", 'name contains "\u00a0"'],
    ["iqn.2001-04.com.example:a\u202eb", 'name contains "\u202e"'],
    ["iqn.2001-04.com.example:\u05d0", 'name contains "\u05d0"'],
    [`iqn.2001-04.com.example:${"a".repeat(224 - 24)}`, "name is longer than 223 bytes"],
  ] as const;
  for (const [name, problem] of rows) assertEquals(initiatorNameProblem(name), problem, name);
});

Deno.test("formatInitiatorName() quotes a name that RFC 3722 does not permit, and no other", () => {
  const plain = [
    "iqn.2008-11.org.linux-kvm:my_guest",
    "iqn.2001-04.com.example:\u00e4\u732b",
    "eui.02004567a425678d",
  ];
  for (const name of plain) assertEquals(formatInitiatorName(name), name);
  assertEquals(formatInitiatorName("iqn.2000-01.a:b c"), '"iqn.2000-01.a:b c"');
  assertEquals(formatInitiatorName('iqn.2000-01.a:"$b"'), '"iqn.2000-01.a:\\"\\$b\\""');
});
