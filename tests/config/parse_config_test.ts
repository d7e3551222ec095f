import { assert, assertEquals } from "@std/assert";
import { parseNetwork } from "../../lib/bytes/network.ts";
import type { Config, TargetConfig } from "../../lib/config/config.ts";
import { formatDiagnostic } from "../../lib/config/diagnostic.ts";
import { identityOf, serialNumberOf } from "../../lib/config/disk.ts";
import { parseConfig } from "../../lib/config/parse_config.ts";

const MB = 1024 ** 2;
const GB = 1024 ** 3;

/** A disk without options in the conf. */
const DISK = {
  blockSizeBytes: 512,
  physicalBlockSizeBytes: 4096,
  removable: false,
  writeCache: true,
  vendor: undefined,
  product: undefined,
  revision: undefined,
  serialNumber: undefined,
} as const;

/** The example of the service's description, with the line breaks that its web page lost. */
const EXAMPLE = `storage=/data/iscsi
initiators=iqn.2011-07.com.example:89abcdef iqn.2011-07.com.example:01234567

[xenserver]
size=750GB 500MB
networks=192.168.100.0/24
`;

function parseGood(text: string): Config {
  const { config, diagnostics } = parseConfig(text, { file: "conf" });
  assertEquals(diagnostics.map(formatDiagnostic), []);
  assert(config);
  return config;
}

function parseTarget(text: string): TargetConfig {
  return parseGood(text).targets[0]!;
}

Deno.test("parseConfig() reads the example of the description", () => {
  assertEquals(parseGood(EXAMPLE), {
    file: "conf",
    storage: "/data/iscsi",
    node: "iqn.2002-08.info.netmanager",
    sessions: 32,
    connections: 8,
    port: 3260,
    pingSeconds: 30,
    pingTimeoutSeconds: 30,
    metrics: undefined,
    chapMinimum: "md5",
    chap: undefined,
    secretsFiles: [],
    targets: [{
      name: "xenserver",
      iscsiName: "iqn.2002-08.info.netmanager:xenserver",
      aliasIscsiName: undefined,
      comment: "xenserver",
      readOnly: false,
      disk: DISK,
      networks: [parseNetwork("192.168.100.0/24")!],
      initiators: ["iqn.2011-07.com.example:89abcdef", "iqn.2011-07.com.example:01234567"],
      chap: undefined,
      port: 3260,
      redirect: undefined,
      logicalUnits: [
        { number: 0, path: "/data/iscsi/xenserver", sizeBytes: 750 * GB, line: 5 },
        { number: 1, path: "/data/iscsi/xenserver_1", sizeBytes: 500 * MB, line: 5 },
      ],
      line: 4,
    }],
  });
});

Deno.test("parseConfig() fills in every default", () => {
  assertEquals(parseGood("[a]\nsize = 1GB"), {
    file: "conf",
    storage: "/usr/shares/iscsi",
    node: "iqn.2002-08.info.netmanager",
    sessions: 32,
    connections: 8,
    port: 3260,
    pingSeconds: 30,
    pingTimeoutSeconds: 30,
    metrics: undefined,
    chapMinimum: "md5",
    chap: undefined,
    secretsFiles: [],
    targets: [{
      name: "a",
      iscsiName: "iqn.2002-08.info.netmanager:a",
      aliasIscsiName: undefined,
      comment: "a",
      readOnly: false,
      disk: DISK,
      networks: [],
      initiators: [],
      chap: undefined,
      port: 3260,
      redirect: undefined,
      logicalUnits: [{ number: 0, path: "/usr/shares/iscsi/a", sizeBytes: GB, line: 2 }],
      line: 1,
    }],
  });
});

Deno.test("parseConfig() reads every option", () => {
  const config = parseGood(`
storage = /data//iscsi/
node = iqn.2020-01.com.example:box
sessions = 1
connections = 65535
port = 860
ping = 0
pingtimeout = 65535
networks = 10.0.0.0/8
initiators = eui.02004567A425678D

[a.b:c-1]
size = 1GB
file = sub/folder/../disk.img
comment = Bob's "big" disk; # 1 = one
alias = old
readonly = y
networks = 192.168.100.7 fd00:1::/64
initiators = iqn.2011-07.com.Example:A iqn.2011-07.com.example:a naa.52004567BA64678D

[plain]
size = 1048576
file = /dev/sdb
`);
  const { targets, file, ...globals } = config;
  assertEquals([file, globals], ["conf", {
    storage: "/data/iscsi",
    node: "iqn.2020-01.com.example:box",
    sessions: 1,
    connections: 65535,
    port: 860,
    pingSeconds: 0,
    pingTimeoutSeconds: 65535,
    metrics: undefined,
    chapMinimum: "md5",
    chap: undefined,
    secretsFiles: [],
  }]);
  assertEquals(targets, [{
    name: "a.b:c-1",
    iscsiName: "iqn.2020-01.com.example:box:a.b:c-1",
    aliasIscsiName: "iqn.2020-01.com.example:box:old",
    comment: `Bob's "big" disk; # 1 = one`,
    readOnly: true,
    disk: DISK,
    networks: [parseNetwork("192.168.100.7")!, parseNetwork("fd00:1::/64")!],
    initiators: ["iqn.2011-07.com.example:a", "naa.52004567ba64678d"],
    chap: undefined,
    port: 860,
    redirect: undefined,
    logicalUnits: [{ number: 0, path: "/data/iscsi/sub/disk.img", sizeBytes: GB, line: 13 }],
    line: 12,
  }, {
    name: "plain",
    iscsiName: "iqn.2020-01.com.example:box:plain",
    aliasIscsiName: undefined,
    comment: "plain",
    readOnly: false,
    disk: DISK,
    networks: [parseNetwork("10.0.0.0/8")!],
    initiators: ["eui.02004567a425678d"],
    chap: undefined,
    port: 860,
    redirect: undefined,
    logicalUnits: [{ number: 0, path: "/dev/sdb", sizeBytes: MB, line: 22 }],
    line: 21,
  }]);
});

Deno.test("parseConfig() appends the number of a LUN to the name of its file", () => {
  const target = parseTarget("[a]\nsize = 1GB 750 MB 0.5MB\nfile = /srv/disk.img");
  assertEquals(target.logicalUnits, [
    { number: 0, path: "/srv/disk.img", sizeBytes: GB, line: 2 },
    { number: 1, path: "/srv/disk.img_1", sizeBytes: 750 * MB, line: 2 },
    { number: 2, path: "/srv/disk.img_2", sizeBytes: 0.5 * MB, line: 2 },
  ]);
});

Deno.test("parseConfig() reads values with two slashes that begin no comment", () => {
  const { storage, targets: [target] } = parseGood(
    'storage=/data//fast\n[a]\nsize=1GB\nfile="sub //x"\ncomment=One // two\nuser=a//b\nsecret=//secret//123',
  );
  assertEquals([storage, target?.logicalUnits[0]?.path], ["/data/fast", "/data/fast/sub /x"]);
  assertEquals([target?.comment, target?.chap?.accounts.has("a//b")], ["One // two", true]);
  assertEquals(parseTarget("[a]\nsize=1GB\nfile=/srv//a").logicalUnits[0]?.path, "/srv/a");
});

Deno.test("parseConfig() keeps values as they are written", () => {
  const rows = [
    ["007", "007"],
    ["1e3", "1e3"],
    ["true", "true"],
    ["null", "null"],
    ["=", "="],
    ["a=b", "a=b"],
    ['"a" b', '"a" b'],
    ['a "b"', 'a "b"'],
    ['"', '"'],
    ['"in quotes"', "in quotes"],
    ["'in quotes'", "in quotes"],
    ['""twice""', '"twice"'],
    ["\\n\\\\", "\\n\\\\"],
    ["[a]", "[a]"],
    ["\u732b \u{1f600}", "\u732b \u{1f600}"],
  ] as const;
  for (const [written, comment] of rows) {
    assertEquals(parseTarget(`[a]\nsize = 1GB\ncomment = ${written}`).comment, comment);
  }
});

Deno.test("parseConfig() takes a text in quotation marks as the value of any option", () => {
  const target = parseTarget(
    `[a]\nsize = " 1GB 1GB "\nfile = "a # b size=1"\nreadonly = 'on'\nnetworks="::/0"`,
  );
  assertEquals(target.logicalUnits.map(({ path }) => path), [
    "/usr/shares/iscsi/a # b size=1",
    "/usr/shares/iscsi/a # b size=1_1",
  ]);
  assertEquals(target.readOnly, true);
  assertEquals(target.networks.length, 1);
});

Deno.test("parseConfig() reads both words of every pair for readonly", () => {
  for (const word of ["y", "Y", "yes", "true", "ON", "1"]) {
    assertEquals(parseTarget(`[a]\nsize=1GB\nreadonly=${word}`).readOnly, true, word);
  }
  for (const word of ["n", "No", "FALSE", "off", "0"]) {
    assertEquals(parseTarget(`[a]\nsize=1GB\nreadonly=${word}`).readOnly, false, word);
  }
});

Deno.test("parseConfig() takes a full iSCSI name as alias", () => {
  for (const alias of ["iqn.1999-01.org.example:old", "eui.02004567a425678d"]) {
    assertEquals(parseTarget(`[a]\nsize=1GB\nalias=${alias}`).aliasIscsiName, alias);
  }
});

Deno.test("parseConfig() does not mind how lines end, nor white space, nor comments", () => {
  const expected = parseGood(EXAMPLE);
  const variants = [
    EXAMPLE.replaceAll("\n", "\r\n"),
    EXAMPLE.replaceAll("\n", "\r"),
    EXAMPLE.trimEnd(),
    `\ufeff${EXAMPLE}`,
    EXAMPLE.replaceAll("\n", " \t\n\t "),
    EXAMPLE.replaceAll("=", " \t=\t "),
    EXAMPLE.replace("\n\n", "\n  # [a]\n") + "; size = 1\n// size = 2\n#",
    EXAMPLE.replace("[xenserver]", "[ xenserver\t]"),
    EXAMPLE.replaceAll(" iqn", "\t  iqn"),
  ];
  for (const variant of variants) assertEquals(parseGood(variant), expected, JSON.stringify(variant));
});

Deno.test("parseConfig() freezes what it returns", () => {
  const { config, diagnostics } = parseConfig(EXAMPLE, { file: "conf" });
  const pending: unknown[] = [config, diagnostics];
  let objects = 0;
  while (pending.length > 0) {
    const value = pending.pop();
    if (typeof value !== "object" || value === null) continue;
    objects++;
    assert(Object.isFrozen(value));
    pending.push(...Object.values(value));
  }
  assertEquals(objects, 13);
});

Deno.test("parseConfig() returns plain data that can be posted to a worker", () => {
  const config = parseGood(EXAMPLE);
  assertEquals(structuredClone(config), config);
});

Deno.test("parseConfig() warns, and continues, when the meaning is clear", () => {
  const text = `node = iqn.2002-08.info.NetManager
[XenServer]
size = 1GB
alias = Old
networks = 192.168.100.7/24 10.0.0.0/255.0.0.0
`;
  const { config, diagnostics } = parseConfig(text, { file: "conf" });
  assertEquals(diagnostics.map(formatDiagnostic), [
    'conf:1: warning: Node "iqn.2002-08.info.NetManager" is used as "iqn.2002-08.info.netmanager"; write it that way',
    'conf:2: warning: Target name "XenServer" is used as "xenserver"; write it that way',
    'conf:4: warning: Alias "Old" is used as "old"; write it that way',
    'conf:5: warning: Network "192.168.100.7/24" is used as "192.168.100.0/24"; write it that way',
  ]);
  assertEquals(config?.targets[0]?.iscsiName, "iqn.2002-08.info.netmanager:xenserver");
  assertEquals(config?.targets[0]?.aliasIscsiName, "iqn.2002-08.info.netmanager:old");
  assertEquals(config?.targets[0]?.logicalUnits[0]?.path, "/usr/shares/iscsi/xenserver");
  assertEquals(config?.targets[0]?.networks[0]?.address, "192.168.100.0");
});

Deno.test("parseConfig() warns of a file without target", () => {
  for (const text of ["", "\n\n", "# only a comment", "port = 860"]) {
    const { config, diagnostics } = parseConfig(text, { file: "conf" });
    assertEquals(diagnostics.map(formatDiagnostic), [
      "conf:1: warning: File has no target: add a [NAME] line with a size below it",
    ]);
    assertEquals(config?.targets, []);
  }
});

Deno.test("parseConfig() reads what kind of disk the LUNs are", () => {
  const lines = [
    "blocksize=4096",
    "removable=y",
    "writecache=n",
    "vendor=ACME",
    "product=Old Disk 3000",
    "revision=2.1",
    "serial=SN 0815/a",
  ];
  assertEquals(parseTarget(`[a]\nsize=1GB\n${lines.join("\n")}`).disk, {
    blockSizeBytes: 4096,
    physicalBlockSizeBytes: 4096,
    removable: true,
    writeCache: false,
    vendor: "ACME",
    product: "Old Disk 3000",
    revision: "2.1",
    serialNumber: "SN 0815/a",
  });
  const physical = parseTarget("[a]\nsize=1GB\nphysicalblocksize=65536").disk;
  assertEquals(physical, { ...DISK, physicalBlockSizeBytes: 65_536 });
  assertEquals(
    parseTarget("[a]\nsize=1GB\nphysicalblocksize=512").disk,
    { ...DISK, physicalBlockSizeBytes: 512 },
  );
});

Deno.test("serialNumberOf() appends the numbers of all LUNs but the first", () => {
  const { disk } = parseTarget("[a]\nsize=1GB 1GB\nserial=X");
  assertEquals([0, 1, 12].map((lun) => serialNumberOf(disk, lun)), ["X", "X_1", "X_12"]);
  assertEquals(serialNumberOf({ ...disk, serialNumber: undefined }, 1), undefined);
});

Deno.test("parseConfig() gives NAA identifiers to LUNs in order, and none to the others", () => {
  const wide = "6001405A1B2C3D4E5F60718293A4B5C6";
  const { logicalUnits } = parseTarget(`[a]\nsize=1GB 1GB 1GB\nnaa=5000000000000001 ${wide}`);
  assertEquals(logicalUnits.map(({ naa }) => naa), ["5000000000000001", wide.toLowerCase(), undefined]);
});

Deno.test("identityOf() takes the marks of the conf, and the recorded ones for the rest", () => {
  const { disk, logicalUnits: [first, second] } = parseTarget("[a]\nsize=1GB 1GB\nnaa=5000000000000001");
  const recorded = { naa: "3000000000000009", serialNumber: "R" };
  assertEquals(identityOf(disk, first!, recorded), { naa: "5000000000000001", serialNumber: "R" });
  assertEquals(identityOf({ ...disk, serialNumber: "S" }, second!, recorded), {
    naa: "3000000000000009",
    serialNumber: "S_1",
  });
});

Deno.test("parseConfig() reads the endpoint of metrics", () => {
  const endpoints = [
    ["9860", "127.0.0.1", 9860],
    ["192.168.1.7:1", "192.168.1.7", 1],
    ["0.0.0.0:65535", "0.0.0.0", 65_535],
    ["[::1]:9860", "::1", 9860],
    ["[fd00:0:0::7]:9860", "fd00::7", 9860],
  ] as const;
  for (const [text, address, port] of endpoints) {
    assertEquals(parseGood(`metrics=${text}\n[a]\nsize=1GB`).metrics, { address, port });
  }
});

Deno.test("parseConfig() reads initiators in quotation marks, also where they surround the whole list", () => {
  const rows = [
    [`"iqn.2008-11.org.linux-kvm:Web Server 1" iqn.2000-01.a:b`, [
      "iqn.2008-11.org.linux-kvm:web server 1",
      "iqn.2000-01.a:b",
    ]],
    [`"iqn.2000-01.a:b" "iqn.2000-01.a:c # d size=1"`, ["iqn.2000-01.a:b", "iqn.2000-01.a:c # d size=1"]],
    [`"iqn.2000-01.a:b iqn.2000-01.a:c"`, ["iqn.2000-01.a:b", "iqn.2000-01.a:c"]],
    [`'iqn.2000-01.a:b, c'`, ["iqn.2000-01.a:b, c"]],
  ] as const;
  for (const [value, names] of rows) {
    const { targets } = parseGood(`[a]\nsize=1GB\ninitiators=${value}`);
    assertEquals(targets[0]!.initiators, names as unknown as string[], value);
  }
});
