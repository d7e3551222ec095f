import { assertEquals } from "@std/assert";
import { foldIscsiName, iscsiNameProblem } from "../../lib/config/iscsi_name.ts";

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

Deno.test("iscsiNameProblem() says what is wrong with a name", () => {
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
