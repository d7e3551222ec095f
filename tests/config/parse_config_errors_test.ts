import { assertEquals } from "@std/assert";
import { formatDiagnostic } from "../../lib/config/diagnostic.ts";
import { OPTIONS } from "../../lib/config/options.ts";
import { parseConfig } from "../../lib/config/parse_config.ts";

/** Asserts that a conf has just these diagnostics, written `LINE: message`, and therefore no config. */
function assertErrors(text: string, expected: readonly string[]): void {
  const { config, diagnostics } = parseConfig(text, { file: "conf" });
  assertEquals(diagnostics.map(formatDiagnostic), expected.map((line) => `conf:${line}`), text);
  assertEquals(config, undefined);
}

/** Asserts that a target with one LUN and the given lines, of which the first is line 3, has one error. */
function assertTargetError(lines: string, expected: string): void {
  assertErrors(`[a]\nsize=1GB\n${lines}`, [expected]);
}

/** Asserts that the given lines above a good target have one error. */
function assertGlobalError(lines: string, expected: string): void {
  assertErrors(`${lines}\n[a]\nsize=1GB`, [expected]);
}

Deno.test("parseConfig() reports lines that are no INI", () => {
  const header = 'write "[NAME]", and nothing else on the line';
  assertErrors("[a]\nsize=1GB\nreadonly", ['3: Missing "=": write "NAME = VALUE"']);
  assertTargetError("= 3", '3: Missing name before "=": write "NAME = VALUE"');
  assertErrors("[a\nsize=1GB", [`1: Cannot read section header "[a": ${header}`]);
  assertErrors("[a] # main\nsize=1GB", [`1: Cannot read section header "[a] # main": ${header}`]);
  assertErrors("[a]]\nsize=1GB", [`1: Cannot read section header "[a]]": ${header}`]);
  assertErrors("[ ]\nsize=1GB", ['1: Missing name in section header "[ ]": write the name of a target']);
});

Deno.test("parseConfig() reports control characters, and reads the rest of the line", () => {
  assertTargetError("comment=a\0b\x1bc", "3: Cannot read control character U+0000: remove it");
  assertTargetError("comment=a\u2028b", "3: Cannot read control character U+2028: remove it");
  assertTargetError("comment=a\u0085b", "3: Cannot read control character U+0085: remove it");
  assertErrors("#\x07\n[\x7fa]\nsize=1GB", [
    "1: Cannot read control character U+0007: remove it",
    "2: Cannot read control character U+007F: remove it",
  ]);
});

Deno.test("parseConfig() reports bytes that are not UTF-8, except in comments", () => {
  const message = "Cannot read this line: it is not UTF-8; save the file in that encoding";
  assertErrors("# \ufffd\n[a]\nsize=1GB\ncomment=t\ufffd", [`4: ${message}`]);
});

const TARGET_OPTIONS =
  "port, size, file, comment, alias, readonly, blocksize, physicalblocksize, removable, writecache, " +
  "vendor, product, revision, serial, naa, redirect, networks, initiators, user, secret, secrets, mutual_user, " +
  "mutual_secret";

Deno.test("parseConfig() reports unknown options, with the nearest valid one", () => {
  assertTargetError("netwroks=10.0.0.0/8", '3: Unknown option "netwroks": did you mean "networks"?');
  assertTargetError("Size=1GB", '3: Unknown option "Size": did you mean "size"?');
  assertTargetError(
    "password=x",
    `3: Unknown option "password": valid here: ${TARGET_OPTIONS}`,
  );
  assertGlobalError(
    "password=x",
    '1: Unknown option "password": valid here: ' +
      "storage, node, sessions, connections, port, ping, pingtimeout, metrics, chap_minimum, networks, " +
      "initiators, user, secret, secrets, mutual_user, mutual_secret",
  );
  for (const name of ["__proto__", "constructor", "toString"]) {
    assertTargetError(`${name}=1`, `3: Unknown option "${name}": valid here: ${TARGET_OPTIONS}`);
  }
});

Deno.test("parseConfig() lists the valid options once for targets and once for the server", () => {
  const lines = (text: string): string[] =>
    parseConfig(text, { file: "conf" }).diagnostics.map(({ line, message }) =>
      `${line}: ${message.slice(0, 60)}`
    );
  assertEquals(
    lines("password=x\nzzzzzz=y\n[a]\nsize=1GB\npassword=x\nnetwroks=x\n[b]\nsize=1GB\nzzzzzz=y"),
    [
      '1: Unknown option "password": valid here: storage, node, sessio',
      '2: Unknown option "zzzzzz": line 1 lists the valid ones',
      '5: Unknown option "password": valid here: port, size, file, com',
      '6: Unknown option "netwroks": did you mean "networks"?',
      '9: Unknown option "zzzzzz": line 5 lists the valid ones',
    ],
  );
});

Deno.test("parseConfig() reports every misplaced option", () => {
  for (const [name, { place }] of Object.entries(OPTIONS)) {
    if (place === "global") {
      const remedy = "move it above the first section";
      assertTargetError(`${name}=1`, `3: Option "${name}" is for the whole server: ${remedy}`);
    } else if (place === "target") {
      const remedy = 'move it below the target\'s "[NAME]" line';
      assertGlobalError(`${name}=1`, `1: Option "${name}" is for one target: ${remedy}`);
    }
  }
});

Deno.test("parseConfig() reports duplicate options and sections with both lines", () => {
  assertTargetError("size=2GB", '3: Duplicate option "size": line 2 has it already; remove one of them');
  assertGlobalError(
    "port=1\n\nport=2",
    '3: Duplicate option "port": line 1 has it already; remove one of them',
  );
  assertErrors("[a]\nsize=1GB\n[b]\nsize=1GB\n[a]\nsize=1GB", [
    '5: Duplicate section "[a]": [a] at line 1 has that name already; rename or merge one',
  ]);
  assertErrors("[a]\nsize=1GB\n[ A ]\nsize=x", [
    '3: Duplicate section "[A]": [a] at line 1 has that name already; rename or merge one',
    '4: Cannot use size "x": write a number with MB, GB or TB, such as 750GB',
  ]);
});

Deno.test("parseConfig() reports empty values, and what removing the line would mean", () => {
  const rows = [
    ["storage", "the default, /usr/shares/iscsi"],
    ["node", "the default, iqn.2002-08.info.netmanager"],
    ["sessions", "the default, 32"],
    ["connections", "the default, 8"],
    ["port", "the default, 3260"],
    ["ping", "the default, 30"],
    ["networks", "every network"],
    ["initiators", "every initiator"],
  ] as const;
  for (const [name, meaning] of rows) {
    for (const value of ["", '""', "' '"]) {
      const message = `Missing value of "${name}": write one, or remove the line for ${meaning}`;
      assertGlobalError(`${name} = ${value}`, `1: ${message}`);
    }
  }
  const targetRows = [
    ["file", "the target's name"],
    ["comment", "the target's name"],
    ["alias", "no second name"],
    ["readonly", "the default, n"],
    ["networks", "the global value"],
    ["initiators", "the global value"],
  ] as const;
  for (const [name, meaning] of targetRows) {
    const message = `Missing value of "${name}": write one, or remove the line for ${meaning}`;
    assertTargetError(`${name} =`, `3: ${message}`);
  }
  assertErrors("[a]\nsize=", ['2: Missing value of "size": write a size for each LUN, such as 750GB']);
});

Deno.test("parseConfig() reports values with something else in them", () => {
  const comment = "write the comment on a line of its own";
  assertErrors("[a]\nsize=1GB ; big", [`2: Cannot read size "1GB ; big": ${comment}`]);
  assertTargetError("file=x # y", `3: Cannot read file "x # y": ${comment}`);
  const inline = [
    ["file", "/data/x // y"],
    ["size", "1GB // big"],
    ["alias", "b // B"],
    ["readonly", "y // no"],
    ["blocksize", "512 //"],
    ["vendor", "ACME // x"],
    ["networks", "10.0.0.0/8 // lan"],
    ["initiators", "iqn.2000-01.a:b // B"],
    ["redirect", "10.0.0.1 // x"],
    ["user", "bob // x"],
    ["secrets", "/s // x"],
  ];
  for (const [name, value] of inline) {
    const rest = name === "size" ? "" : "\nsize=1GB";
    const { diagnostics } = parseConfig(`[a]\n${name}=${value}${rest}`, { file: "conf" });
    assertEquals(diagnostics[0]?.message, `Cannot read ${name} "${value}": ${comment}`);
  }
  assertGlobalError("storage=/data // fast", `1: Cannot read storage "/data // fast": ${comment}`);
  // No message repeats a secret.
  assertTargetError("user=bob\nsecret=bobsecret123 // x", `4: Cannot read secret: ${comment}`);
  assertTargetError('file="x', '3: Cannot read file "\\"x": close the quotation marks, or remove them');
  assertGlobalError(
    "storage=/data/iscsi initiators=iqn.2011-07.com.example:89abcdef",
    '1: Cannot read storage "/data/iscsi initiators=iqn.2011-07.com.example:89abcdef": ' +
      'write "initiators" on a line of its own',
  );
});

Deno.test("parseConfig() reports a missing size at the section", () => {
  assertErrors("\n[a]\nreadonly=y\n[b]", [
    '2: Missing size in [a]: add a line such as "size = 750GB"',
    '4: Missing size in [b]: add a line such as "size = 750GB"',
  ]);
});

Deno.test("parseConfig() reports every bad size of a list", () => {
  const blocks = "it is not a whole number of 512-byte blocks";
  assertErrors("[a]\nsize=750G 1GB 0 1000 9000TB GB 1.3MB", [
    '2: Cannot use size "750G": did you mean "750GB"?',
    '2: Cannot use size "0": a LUN has at least one block, 512 bytes',
    '2: Cannot use size "1000": without a unit it is 1000 bytes, not whole blocks of 512; ' +
    'did you mean "1000MB" or "1000GB"?',
    '2: Cannot use size "9000TB": a LUN has at most 8192TB',
    '2: Cannot use size "GB": write a number with MB, GB or TB, such as 750GB',
    `2: Cannot use size "1.3MB": ${blocks}; write 1362944 or 1363456`,
  ]);
  assertErrors("[a]\nsize=1GB,1GB", ['2: Cannot read size "1GB,1GB": separate the entries with spaces only']);
  assertErrors(`[a]\nsize=${"1MB ".repeat(257)}`, ["2: Cannot make 257 LUNs: write at most 256 sizes"]);
});

Deno.test("parseConfig() names the size that a user probably means, and repeats it as written", () => {
  const rows = [
    ["750G", "750GB"],
    ["16TiB", "16TB"],
    ["10 GiB", "10GB"],
    ["10 g", "10GB"],
    ["1,5TB", "1.5TB"],
    ["1,5 TB", "1.5TB"],
    ["1,000GB", "1000GB"],
    ["1,000,5GB", undefined],
    ["2PB", "2048TB"],
    ["1.5 PiB", "1536TB"],
    ["750KB", undefined],
    ["750 K", undefined],
  ] as const;
  for (const [text, meant] of rows) {
    const remedy = meant === undefined
      ? "write a number with MB, GB or TB, such as 750GB"
      : `did you mean "${meant}"?`;
    const isList = text === "1,000,5GB";
    const message = isList ? `Cannot read size "${text}": separate the entries with spaces only` : undefined;
    assertErrors(`[a]\nsize=${text}`, [`2: ${message ?? `Cannot use size "${text}": ${remedy}`}`]);
    if (isList) continue;
    // The other sizes of the list are read as before.
    assertErrors(`[a]\nsize=1.5 TB ${text} 750gb`, [`2: Cannot use size "${text}": ${remedy}`]);
  }
});

Deno.test("parseConfig() warns of a number of bytes below 1 MB, and of no other size", () => {
  const { config, diagnostics } = parseConfig("[a]\nsize=512 1048576 0.5MB 1048064", { file: "conf" });
  assertEquals(diagnostics.map(formatDiagnostic), [
    'conf:2: warning: Size "512" is 512 bytes without a unit; did you mean "512MB" or "512GB"?',
    'conf:2: warning: Size "1048064" is 1048064 bytes without a unit; did you mean "1048064MB" or "1048064GB"?',
  ]);
  assertEquals(config?.targets[0]?.logicalUnits.map(({ sizeBytes }) => sizeBytes), [
    512,
    2 ** 20,
    2 ** 19,
    1_048_064,
  ]);
});

Deno.test("parseConfig() says how to admit everyone, for the words that other programs have for that", () => {
  for (const word of ["*", "ALL", "any", "Everyone"]) {
    assertTargetError(
      `initiators=${word}`,
      `3: Cannot use initiator "${word}": to admit every initiator, remove the line, here and above the first section`,
    );
  }
  for (const word of ["*", "ALL", "any", "0.0.0.0", "::", "0::0"]) {
    assertGlobalError(
      `networks=10.0.0.0/8 ${word}`,
      `1: Cannot use network "${word}": to serve all networks, remove the line, here and above the first section`,
    );
  }
  const star = parseConfig("[a]\nsize=1GB\ninitiators=iqn.2011-07.com.example:*", { file: "conf" });
  assertEquals(star.diagnostics.map(formatDiagnostic), [
    'conf:3: warning: Initiator "iqn.2011-07.com.example:*" is no pattern: it admits this name only; write each name',
  ]);
  assertEquals(star.config?.targets[0]?.initiators, ["iqn.2011-07.com.example:*"]);
  const { diagnostics } = parseConfig("[a]\nsize=1GB\nnetworks=0.0.0.0/0 ::/0", { file: "conf" });
  assertEquals(diagnostics, []);
});

Deno.test("parseConfig() reports numbers out of range", () => {
  for (
    const [name, min] of [["sessions", 1], ["connections", 1], ["port", 1], ["ping", 0], ["pingtimeout", 1]]
  ) {
    for (
      const value of [
        ...(min === 0 ? [] : ["0"]),
        "65536",
        "-1",
        "1.5",
        "0x10",
        "1e3",
        "many",
        "99999999999999999999",
      ]
    ) {
      const message = `Cannot use ${name} "${value}": write a whole number from ${min} to 65535`;
      assertGlobalError(`${name}=${value}`, `1: ${message}`);
    }
  }
});

Deno.test("parseConfig() reports booleans that are neither yes nor no", () => {
  for (const value of ["maybe", "ja", "2", "yes!"]) {
    assertTargetError(`readonly=${value}`, `3: Cannot use readonly "${value}": write y or n`);
  }
});

Deno.test("parseConfig() reports bad networks and initiators, all of a list", () => {
  const network = "write a network such as 192.168.100.0/24, or an address of this server";
  assertErrors("[a]\nsize=1GB\nnetworks=10.0.0.0/33 10.0.0.0/8 eth0", [
    `3: Cannot use network "10.0.0.0/33": ${network}`,
    `3: Cannot use network "eth0": ${network}`,
  ]);
  assertErrors("initiators=host iqn.2011-07.com.example:a iqn.example\n[a]\nsize=1GB\ninitiators=eui.1", [
    '1: Cannot use initiator "host": name must begin with "iqn.", "eui." or "naa."',
    '1: Cannot use initiator "iqn.example": write it as "iqn.YEAR-MONTH.REVERSED-DOMAIN:REST"',
    '4: Cannot use initiator "eui.1": write "eui." and 16 hexadecimal digits',
  ]);
  const separator = '"a, b": separate the entries with spaces only';
  assertTargetError("networks=a, b", `3: Cannot read networks ${separator}`);
  const quoted = `${separator}; write a name with "," or ";" in quotation marks`;
  assertTargetError("initiators=a, b", `3: Cannot read initiators ${quoted}`);
});

Deno.test("parseConfig() reports initiators with a wrong quotation, or with something else beside it", () => {
  const name = "iqn.2008-11.org.linux-kvm:a b";
  for (const quotation of [`"${name}`, `'${name}`]) {
    const problem = "close the quotation marks, or remove them";
    assertTargetError(
      `initiators=${quotation}`,
      `3: Cannot read initiators ${JSON.stringify(quotation)}: ${problem}`,
    );
  }
  assertTargetError(
    `initiators="${name}" # guest`,
    `3: Cannot read initiators ${
      JSON.stringify(`"${name}" # guest`)
    }: write the comment on a line of its own`,
  );
  assertTargetError(
    `initiators="${name}" size=1GB`,
    `3: Cannot read initiators ${JSON.stringify(`"${name}" size=1GB`)}: write "size" on a line of its own`,
  );
  for (const empty of ['""', "''", '" "']) {
    const remedy = "write one, or remove the line for the global value";
    assertTargetError(`initiators=${empty}`, `3: Missing value of "initiators": ${remedy}`);
  }
});

Deno.test("parseConfig() reports a bad storage folder or node", () => {
  assertGlobalError(
    "storage=data/iscsi",
    '1: Cannot use storage "data/iscsi": write its absolute path, which begins with "/"',
  );
  for (const root of ["/", "//", "/a/.."]) {
    const remedy = "it contains every file; write the path of a folder below it";
    assertGlobalError(`storage=${root}`, `1: Cannot use storage "${root}": ${remedy}`);
  }
  const form = 'write it as "iqn.YEAR-MONTH.REVERSED-DOMAIN';
  assertGlobalError("node=netmanager", `1: Cannot use node "netmanager": ${form}"`);
  assertGlobalError("node=eui.02004567a425678d", `1: Cannot use node "eui.02004567a425678d": ${form}"`);
  assertGlobalError("node=iqn.info.netmanager", `1: Cannot use node "iqn.info.netmanager": ${form}:REST"`);
  assertGlobalError(
    "node=iqn.2002-08.info net",
    '1: Cannot use node "iqn.2002-08.info net": name contains " "',
  );
  assertGlobalError(
    "node=iqn.2002-08.info.netmanager:",
    `1: Cannot use node "iqn.2002-08.info.netmanager:": ` +
      `remove the last ":"; a target's name is appended with a ":" of its own`,
  );
});

Deno.test("parseConfig() reports names that cannot be part of an IQN", () => {
  const remedy = 'write only a-z, 0-9, "-", "." and ":"';
  for (const [name, character] of [["my disk", " "], ["my_disk", "_"], ["a/b", "/"], ["\u00e4", "\u00e4"]]) {
    const message = `it contains ${JSON.stringify(character)}; ${remedy}`;
    assertErrors(`[${name}]\nsize=1GB`, [`1: Cannot use target name "${name}": ${message}`]);
    assertTargetError(`alias=${name}`, `3: Cannot use alias "${name}": ${message}`);
  }
  const name = "a".repeat(223 - "iqn.2002-08.info.netmanager:".length + 2);
  const problem = "its IQN is longer than 223 bytes; shorten it by 2";
  const shown = `${name.slice(0, 120)}...`;
  assertErrors(`[${name}]\nsize=1GB`, [`1: Cannot use target name "${shown}": ${problem}`]);
  assertTargetError(`alias=${name}`, `3: Cannot use alias "${shown}": ${problem}`);
  assertEquals(parseConfig(`[${name.slice(2)}]\nsize=1GB`, { file: "conf" }).diagnostics, []);
  assertTargetError(
    "alias=iqn.old",
    '3: Cannot use alias "iqn.old": write it as "iqn.YEAR-MONTH.REVERSED-DOMAIN:REST"',
  );
});

Deno.test("parseConfig() reports names that two targets have, in whatever order", () => {
  const own = "it is the target's own name; remove the line";
  assertTargetError("alias=A", `3: Cannot use alias "A": ${own}`);
  assertTargetError(
    "alias=iqn.2002-08.info.netmanager:a",
    `3: Cannot use alias "iqn.2002-08.info.netmanager:a": ${own}`,
  );
  assertErrors("[a]\nsize=1GB\nalias=b\n[b]\nsize=1GB", [
    '3: Cannot use alias "b": [b] at line 4 has that name already; choose another',
  ]);
  assertErrors("[a]\nsize=1GB\n[b]\nsize=1GB\nalias=iqn.2002-08.info.netmanager:a", [
    '5: Cannot use alias "iqn.2002-08.info.netmanager:a": [a] at line 1 has that name already; choose another',
  ]);
  assertErrors("[a]\nsize=1GB\nalias=c\n[b]\nsize=1GB\nalias=c", [
    '6: Cannot use alias "c": the alias at line 3 has that name already; choose another',
  ]);
});

Deno.test("parseConfig() reports files that cannot back a LUN", () => {
  const isFolder = "it is the name of a folder; write the name of a file";
  for (const file of ["x/", ".", "..", "x/..", "/dev/", "/"]) {
    assertTargetError(`file=${file}`, `3: Cannot use file "${file}": ${isFolder}`);
  }
  const escape = 'it is not in "/usr/shares/iscsi"; write its absolute path';
  assertTargetError("file=../x", `3: Cannot use file "../x": ${escape}, "/usr/shares/x"`);
  assertTargetError("file=x/../../y", `3: Cannot use file "x/../../y": ${escape}, "/usr/shares/y"`);
  assertTargetError("file=../iscsi2", `3: Cannot use file "../iscsi2": ${escape}, "/usr/shares/iscsi2"`);
  const state = '"/usr/shares/iscsi/.iscsi" is reserved for this program; choose another name';
  for (const file of [".iscsi", ".iscsi/x", "x/../.iscsi", "/usr/shares/iscsi/.iscsi/x"]) {
    assertTargetError(`file=${file}`, `3: Cannot use file "${file}": ${state}`);
  }
  for (const folder of ["/usr/shares/iscsi", "/usr/shares"]) {
    const problem = `"${folder}" is a folder; write the name of a file`;
    assertTargetError(`file=${folder}`, `3: Cannot use file "${folder}": ${problem}`);
  }
  const long = "x".repeat(251);
  const shown = `${long.slice(0, 120)}...`;
  assertTargetError(
    `file=${long}`,
    `3: Cannot use file "${shown}": a part of it is longer than 250 bytes; shorten it`,
  );
  assertErrors("[..]\nsize=1GB", [
    '1: Cannot use file "..": "/usr/shares" is a folder; write the name of a file',
  ]);
  assertErrors("[.iscsi]\nsize=1GB", [`1: Cannot use file ".iscsi": ${state}`]);
});

Deno.test("parseConfig() accepts files in odd places that are meant", () => {
  const text = "storage=/s\n[a]\nsize=1GB\n[b]\nsize=1GB\nfile=..b\n[c]\nsize=1GB\nfile=x/.iscsi";
  const { config, diagnostics } = parseConfig(text, { file: "conf" });
  assertEquals(diagnostics, []);
  assertEquals(config?.targets.map(({ logicalUnits }) => logicalUnits[0]?.path), [
    "/s/a",
    "/s/..b",
    "/s/x/.iscsi",
  ]);
});

Deno.test("parseConfig() reports two LUNs on one file, however it is written", () => {
  const taken = "has it already; choose another name";
  for (const file of ["a", "./a", "x/../a", "/usr/shares/iscsi/a", "/usr//shares/iscsi/./a"]) {
    assertErrors(`[a]\nsize=1GB\n[b]\nsize=1GB\nfile=${file}`, [
      `5: Cannot use file "/usr/shares/iscsi/a" for LUN 0 of [b]: LUN 0 of [a] (line 2) ${taken}`,
    ]);
  }
  assertErrors("[a]\nsize=1GB 1GB\n[b]\nsize=1GB\nfile=a_1", [
    `5: Cannot use file "/usr/shares/iscsi/a_1" for LUN 0 of [b]: LUN 1 of [a] (line 2) ${taken}`,
  ]);
  assertErrors("[b]\nsize=1GB\nfile=c_1\n[c]\nsize=1GB 1GB", [
    `4: Cannot use file "/usr/shares/iscsi/c_1" for LUN 1 of [c]: LUN 0 of [b] (line 2) ${taken}`,
  ]);
});

Deno.test("parseConfig() reports a file where another LUN's file needs a folder", () => {
  const message = 'Cannot use file "/usr/shares/iscsi/a/b": ' +
    '"/usr/shares/iscsi/a" is the file of LUN 0 of [a] (line 2), not a folder; choose another name';
  assertErrors("[a]\nsize=1GB\n[b]\nsize=1GB\nfile=a/b", [`5: ${message}`]);
});

Deno.test("parseConfig() reports a friendly name that is too long for the wire", () => {
  const comment = "\u00e4".repeat(128);
  assertTargetError(
    `comment=${comment}`,
    `3: Cannot use comment "${comment.slice(0, 120)}...": it is 256 bytes long; write at most 255`,
  );
});

Deno.test("parseConfig() reports every error of a file, and warnings among them, in the order of lines", () => {
  const text = `storage = data
prot = 3260
[Good]
size = 1GB
sessions = 3
[bad name
size = 2GB
readonly = perhaps
[other]
networks = 10.0.0.1/8 10.0.0.1/99
alias = good
[last]
size = 1GB 2GX
file = good
initiators =
`;
  assertErrors(text, [
    '1: Cannot use storage "data": write its absolute path, which begins with "/"',
    '2: Unknown option "prot": did you mean "port"?',
    '3: warning: Target name "Good" is used as "good"; write it that way',
    '5: Option "sessions" is for the whole server: move it above the first section',
    '6: Cannot read section header "[bad name": write "[NAME]", and nothing else on the line',
    '8: Cannot use readonly "perhaps": write y or n',
    '9: Missing size in [other]: add a line such as "size = 750GB"',
    '10: warning: Network "10.0.0.1/8" is used as "10.0.0.0/8"; write it that way',
    '10: Cannot use network "10.0.0.1/99": write a network such as 192.168.100.0/24, or an address of this server',
    '11: Cannot use alias "good": [Good] at line 3 has that name already; choose another',
    '13: Cannot use size "2GX": write a number with MB, GB or TB, such as 750GB',
    '15: Missing value of "initiators": write one, or remove the line for the global value',
  ]);
});

Deno.test("parseConfig() reports invalid kinds of disk", () => {
  assertTargetError("blocksize=1024", '3: Cannot use blocksize "1024": write 512 or 4096');
  assertTargetError(
    "physicalblocksize=3000",
    '3: Cannot use physicalblocksize "3000": write 512, 1024, 2048, 4096, 8192, 16384, 32768 or 65536',
  );
  assertTargetError(
    "blocksize=4096\nphysicalblocksize=512",
    "4: Cannot use physicalblocksize 512: blocksize is 4096; write at least 4096",
  );
  const fields = [["vendor", 8], ["product", 16], ["revision", 4], ["serial", 64]] as const;
  for (const [option, lengthMax] of fields) {
    for (const value of ["x".repeat(lengthMax + 1), "\u00e9"]) {
      assertTargetError(
        `${option}=${value}`,
        `3: Cannot use ${option} "${value}": write up to ${lengthMax} printable ASCII characters`,
      );
    }
  }
});

Deno.test("parseConfig() reports sizes that are not a multiple of the target's block size", () => {
  assertErrors("[a]\nsize=1GB 1048064 0.00048828125MB\nblocksize=4096", [
    '2: warning: Size "1048064" is 1048064 bytes without a unit; did you mean "1048064MB" or "1048064GB"?',
    "2: Cannot use size of 1048064 bytes: it is not a whole number of 4096-byte blocks; write 1044480 or 1048576",
    "2: Cannot use size of 512 bytes: it is not a whole number of 4096-byte blocks; write 4096",
  ]);
});

Deno.test("parseConfig() reports serial numbers that two LUNs share, or that become too long", () => {
  assertErrors("[a]\nsize=1GB 1GB\nserial=S\n[b]\nsize=1GB\nserial=S_1", [
    '6: Cannot use serial number "S_1" for LUN 0 of [b]: LUN 1 of [a] (line 3) has it already; ' +
    "choose another serial",
  ]);
  const serial = "S".repeat(63);
  assertErrors(`[a]\nsize=1GB 1GB\nserial=${serial}`, [
    `3: Cannot use serial "${serial}": that of the last LUN would be 65 characters long; shorten it`,
  ]);
});

Deno.test("parseConfig() reports texts that are no NAA identifier, with the one that is meant", () => {
  const wide = "6001405a1b2c3d4e5f60718293a4b5c6";
  const remedy = "write 16 hexadecimal digits that begin with 2, 3 or 5, or 32 that begin with 6";
  const rows = [
    ["3123", remedy],
    ["4123456789abcdef", remedy],
    [`5${wide.slice(1)}`, remedy],
    [wide.slice(0, 16), remedy],
    ["300000000000000g", remedy],
    [`naa.${wide}`, `did you mean "${wide}"?`],
    [`0x${wide.toUpperCase()}`, `did you mean "${wide}"?`],
    [`3${wide}`, `did you mean "${wide}"?`],
    ["50:01:40:5a:1b:2c:3d:4e", 'did you mean "5001405a1b2c3d4e"?'],
  ] as const;
  for (const [text, remedy] of rows) {
    assertTargetError(`naa=${text}`, `3: Cannot use naa "${text}": ${remedy}`);
  }
});

Deno.test("parseConfig() reports more NAA identifiers than LUNs, and one that two LUNs share", () => {
  const [a, b] = ["3000000000000001", "3000000000000002"];
  assertErrors(`[a]\nsize=1GB\nnaa=${a} ${b}`, [
    "3: Cannot use naa: it has 2 identifiers for 1 LUN; write at most one for each",
  ]);
  const problem = "LUN 1 of [a] (line 3) has it already; choose another naa";
  assertErrors(`[a]\nsize=1GB 1GB\nnaa=${a} ${b}\n[b]\nsize=1GB\nnaa=${b}`, [
    `6: Cannot use NAA identifier "${b}" for LUN 0 of [b]: ${problem}`,
  ]);
});

Deno.test("parseConfig() reports endpoints that cannot serve metrics", () => {
  const remedy = "write PORT, ADDRESS:PORT or [ADDRESS]:PORT, with an IP address and a port from 1 to 65535";
  for (
    const value of ["0", "65536", "x", ":1", "1:", "localhost:1", "::1:9860", "[::1]", "[1.2.3.4]:1", "[]:1"]
  ) {
    assertErrors(`metrics=${value}\n[a]\nsize=1GB`, [`1: Cannot use metrics "${value}": ${remedy}`]);
  }
  assertErrors("metrics=[::1]:3260\n[a]\nsize=1GB", [
    "1: Cannot serve metrics at port 3260: initiators connect to it; write another port",
  ]);
});
