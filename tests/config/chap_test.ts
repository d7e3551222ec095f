/** The CHAP options of the conf, valid and invalid. */
import { assertEquals } from "@std/assert";
import type { FileReading } from "../../lib/config/build_chap.ts";
import type { ChapConfig } from "../../lib/config/chap.ts";
import { formatDiagnostic } from "../../lib/config/diagnostic.ts";
import { parseConfig, type ParsedConfig } from "../../lib/config/parse_config.ts";
import { fail } from "@std/assert";

/** Files that a conf may name. */
const FILES: Readonly<Record<string, FileReading>> = {
  "/good": {
    text: "# Two hosts\n\nalice alicesecret12\n  carl\t0x00112233445566778899aabb  \r\n",
    mode: 0o600,
  },
  "/bound": {
    text: `alice alicesecret12 IQN.2000-01.com.Example:A
carl carlsecret123 iqn.2000-01.com.example:c  EUI.02004567A425678D naa.52004567BA64678D iqn.2000-01.com.example:C
dora dorasecret123 iqn.2000-01.com.example:a`,
    mode: 0o600,
  },
  "/odd": {
    text: 'alice "alicesecret "iqn.2008-11.org.linux-kvm:Web Server 1" iqn.2008-11.org.linux-kvm:vm(1)',
    mode: 0o600,
  },
  "/loose": { text: "alice alicesecret12 topsecretword\ndora top secretword12 iqn.2000-01.a:b", mode: 0o600 },
  "/readonly": { text: "dora dorasecret123", mode: 0o400 },
  "/open": { text: "alice alicesecret12", mode: 0o644 },
  "/group": { text: "alice alicesecret12", mode: 0o660 },
  "/missing": { problem: "it does not exist; create it" },
  "/bad": {
    text:
      "alice short-one\nlonely\nalice alicesecret12\nalice alicesecret13\nx y z\n\u00e4 umlautsecret1\n# fin",
    mode: 0o600,
  },
  "/remarks": { text: "# one\n;alice alicesecret12\n// bob bobsecret123\ncarl carlsecret123", mode: 0o600 },
  "/empty": { text: "# nobody\n", mode: 0o600 },
  "/same": { text: "alice alicesecret12\nbert alicesecret12", mode: 0o600 },
  "/long": { text: "alice a-rather-long-secret", mode: 0o600 },
};

function parse(text: string, mode?: number): ParsedConfig {
  const readFile = (path: string): FileReading => FILES[path]!;
  return parseConfig(text, { file: "conf", readFile, ...(mode !== undefined && { mode }) });
}

function messagesOf(text: string, mode?: number): string[] {
  return parse(text, mode).diagnostics.map(formatDiagnostic);
}

/** Describes a CHAP configuration in short: `alice bob as box`. */
function show(chap: ChapConfig | undefined): string {
  if (chap === undefined) return "nothing";
  const names = [...chap.accounts.values()].map(({ name, initiators }) => [name, ...initiators].join("@"))
    .join(" ");
  return chap.mutual === undefined ? names : `${names} as ${chap.mutual.name}`;
}

/** Returns the CHAP configurations of discovery and of each target of a valid conf. */
function chapOf(text: string): string[] {
  const { config, diagnostics } = parse(text);
  if (config === undefined) fail(diagnostics.map(formatDiagnostic).join("\n"));
  return [show(config.chap), ...config.targets.map(({ chap }) => show(chap))];
}

const BOB = "user=bob\nsecret=bobsecret123\n";
const ALICE = "user=alice\nsecret=0x616c6963657365637265743132\n";
const BOX = "mutual_user=box\nmutual_secret=targetsecret1\n";
const A = "[a]\nsize=1MB\n";
const B = "[b]\nsize=1MB\n";

Deno.test("without options of CHAP nothing is asked for", () => {
  assertEquals(chapOf(A), ["nothing", "nothing"]);
});

Deno.test("global options hold for discovery and every target; a target's own replace them", () => {
  assertEquals(chapOf(`${BOB}${A}${B}${ALICE}`), ["bob", "bob", "alice"]);
  assertEquals(chapOf(`${BOB}secrets=/good\n${A}`), ["bob alice carl", "bob alice carl"]);
  assertEquals(chapOf(`${BOB}${A}${B}secrets=/good\n`), ["bob", "bob", "alice carl"]);
  assertEquals(chapOf(`secrets=/good\n${A}${BOB}${B}${BOB}secrets=/readonly`), [
    "alice carl",
    "bob",
    "bob dora",
  ]);
  assertEquals(chapOf(`${A}${BOB}${B}`), ["nothing", "bob", "nothing"]);
});

Deno.test("user=none takes CHAP from a target", () => {
  assertEquals(chapOf(`${BOB}${BOX}${A}user=none\n${B}`), ["bob as box", "nothing", "bob as box"]);
  assertEquals(chapOf(`user=none\n${A}${BOB}`), ["nothing", "bob"]);
  assertEquals(messagesOf(`${BOB}${A}user=none\nsecret=othersecret1\nsecrets=/good`), [
    'conf:6: Cannot use secret: user "none" (line 5) needs none; remove one of the lines',
    'conf:7: Cannot use secrets: user "none" (line 5) needs none; remove one of the lines',
  ]);
});

Deno.test("mutual_user=none takes the target's own proof away, and nothing else", () => {
  assertEquals(chapOf(`${BOB}${BOX}${A}mutual_user=none\n${B}`), ["bob as box", "bob", "bob as box"]);
  assertEquals(chapOf(`${BOB}${BOX}${A}mutual_user=none\n${ALICE}`), ["bob as box", "alice"]);
  assertEquals(chapOf(`${BOB}mutual_user=none\n${A}${B}${BOX}`), ["bob", "bob", "bob as box"]);
  assertEquals(messagesOf(`${BOB}${A}user=none\nmutual_user=none`), []);
  assertEquals(messagesOf(`mutual_user=none\n${A}mutual_user=none`), []);
  assertEquals(messagesOf(`${BOB}${BOX}${A}mutual_user=none\nmutual_secret=othersecret1`), [
    'conf:8: Cannot use mutual_secret: mutual_user "none" (line 7) needs none; remove one of the lines',
  ]);
});

Deno.test("none is no name of another server, and no second name, unless it is written in full", () => {
  assertEquals(messagesOf(`${A}redirect=None`), [
    'conf:3: Cannot use redirect "None": remove the line to serve the target here; write "none:3260" for a host of ' +
    "that name",
  ]);
  assertEquals(parse(`${A}redirect=none:3260`).config?.targets[0]?.redirect?.targetAddress, "none:3260");
  assertEquals(messagesOf(`${A}alias=NONE`), [
    'conf:3: Cannot use alias "NONE": remove the line to have no alias; write "iqn.2002-08.info.netmanager:none" if ' +
    "that is the name",
  ]);
  const { config } = parse(`${A}alias=iqn.2002-08.info.netmanager:none`);
  assertEquals(config?.targets[0]?.aliasIscsiName, "iqn.2002-08.info.netmanager:none");
});

Deno.test("what the target proves is global or its own", () => {
  assertEquals(chapOf(`${BOB}${BOX}${A}${B}mutual_user=own\nmutual_secret=own-secret-12`), [
    "bob as box",
    "bob as box",
    "bob as own",
  ]);
  assertEquals(chapOf(`${BOX}${A}${BOB}${B}`), ["nothing", "bob as box", "nothing"]);
});

Deno.test("secrets are read as they stand", () => {
  const { config } = parse(`${A}secrets=/good`);
  const secrets = [...config!.targets[0]!.chap!.accounts.values()].map(({ secret }) =>
    new Uint8Array(secret.bytes).toHex()
  );
  assertEquals(secrets, ["616c6963657365637265743132", "00112233445566778899aabb"]);
});

Deno.test("a name is bound to the initiators that follow its secret, compared as iSCSI names", () => {
  assertEquals(chapOf(`secrets=/bound\n${A}${B}${BOB}`), [
    "alice@iqn.2000-01.com.example:a " +
    "carl@iqn.2000-01.com.example:c@eui.02004567a425678d@naa.52004567ba64678d dora@iqn.2000-01.com.example:a",
    "alice@iqn.2000-01.com.example:a " +
    "carl@iqn.2000-01.com.example:c@eui.02004567a425678d@naa.52004567ba64678d dora@iqn.2000-01.com.example:a",
    "bob",
  ]);
  assertEquals(chapOf(`${A}secrets=/odd`), [
    "nothing",
    "alice@iqn.2008-11.org.linux-kvm:web server 1@iqn.2008-11.org.linux-kvm:vm(1)",
  ]);
  const problem = "Cannot use the text after the secret: " +
    "write only iSCSI names there (one with spaces in quotation marks), and NAME and SECRET without spaces";
  assertEquals(messagesOf(`${A}secrets=/loose`), [`/loose:1: ${problem}`, `/loose:2: ${problem}`]);
});

Deno.test("chap_minimum is one of the algorithms", () => {
  assertEquals(parse(`chap_minimum=SHA3-256\n${A}`).config?.chapMinimum, "sha3-256");
  assertEquals(messagesOf(`chap_minimum=sha512\n${A}`), [
    'conf:1: Cannot use chap_minimum "sha512": write md5, sha1, sha256 or sha3-256',
  ]);
});

Deno.test("chap_minimum above md5 is a warning where discovery requires CHAP, and where nothing does", () => {
  const discovery =
    "warning: Discovery requires sha256 or stronger, but open-iscsi (Linux) offers only md5 by " +
    'default: set "node.session.auth.chap_algs" in its iscsid.conf, or set secrets only in the sections';
  const useless = "warning: Option chap_minimum has no effect without CHAP: " +
    'add "user" and "secret", or "secrets", or remove the line';
  assertEquals(messagesOf(`chap_minimum=sha256\n${BOB}${A}`), [`conf:1: ${discovery}`]);
  assertEquals(messagesOf(`secrets=/good\nchap_minimum=sha256\n${A}`), [`conf:2: ${discovery}`]);
  assertEquals(messagesOf(`chap_minimum=sha256\n${A}`), [`conf:1: ${useless}`]);
  assertEquals(messagesOf(`chap_minimum=sha256\nuser=none\n${A}user=none`), [`conf:1: ${useless}`]);
  const unconcerned = [
    `chap_minimum=sha256\n${A}${BOB}`,
    `chap_minimum=sha256\nuser=none\n${A}${BOB}`,
    `chap_minimum=md5\n${BOB}${A}`,
    `chap_minimum=md5\n${A}`,
    `${BOB}${A}`,
  ];
  for (const text of unconcerned) assertEquals(messagesOf(text), [], text);
});

Deno.test("a config names its files of secrets, each once", () => {
  const text = `secrets=/good\n${A}secrets=/readonly\n${B}secrets=/good`;
  assertEquals(parse(text).config?.secretsFiles, ["/good", "/readonly"]);
});

Deno.test("a name requires a secret, and a secret requires a name", () => {
  const message = (present: string, absent: string): string =>
    `conf:3: Option "${present}" also needs "${absent}"`;
  assertEquals(messagesOf(`${A}user=bob`), [message("user", "secret")]);
  assertEquals(messagesOf(`${A}secret=bobsecret123`), [message("secret", "user")]);
  assertEquals(messagesOf(`${A}mutual_user=box\n${BOB}`), [message("mutual_user", "mutual_secret")]);
  assertEquals(messagesOf(`${A}mutual_secret=targetsecret1\n${BOB}`), [
    message("mutual_secret", "mutual_user"),
  ]);
});

Deno.test("mutual CHAP requires CHAP for initiators", () => {
  const message = "Cannot use mutual CHAP without CHAP for initiators: " +
    'add "user" and "secret", or "secrets", or remove the line';
  assertEquals(messagesOf(`${BOX}${A}`), [`conf:2: ${message}`]);
  assertEquals(messagesOf(`${BOX}${A}user=none`), [`conf:2: ${message}`]);
  assertEquals(messagesOf(`${A}${BOX}`), [`conf:4: ${message}`]);
  assertEquals(messagesOf(`${BOB}${A}user=none\n${BOX}`), [`conf:7: ${message}`]);
});

Deno.test("no secret serves both directions, in any part of the conf (RFC 7143, 9.2.1)", () => {
  const message =
    "Cannot use mutual_secret: an initiator has the same secret; choose another for one of them";
  assertEquals(messagesOf(`${BOB}mutual_user=box\nmutual_secret=bobsecret123\n${A}`), [`conf:4: ${message}`]);
  assertEquals(messagesOf(`${BOB}${A}mutual_user=box\nmutual_secret=alicesecret12\n${B}secrets=/good`), [
    `conf:6: ${message}`,
  ]);
});

Deno.test("secrets that are too short or long, or no secrets, are reported without being repeated", () => {
  const rows = [
    [
      "short",
      "Cannot use secret: it is 5 characters long; use 12 to 255 characters (Windows: at most 16)",
    ],
    [
      "0x0011223344556677",
      "Cannot use secret: it is 8 bytes long; use 12 to 255 bytes (Windows: at most 16)",
    ],
    [
      "0x001122334455667788990",
      'Cannot use secret: after "0x" write two hexadecimal digits for each byte, and nothing else',
    ],
    ["topsecretword ; really", "Cannot read secret: write the comment on a line of its own"],
    ["'topsecretword", "Cannot read secret: close the quotation marks, or remove them"],
    ["topsecretword user=bob", 'Cannot read secret: write "user" on a line of its own'],
    [
      "two topsecretword",
      "Cannot use secret: it contains a space, or characters that are not printable ASCII; remove them",
    ],
    [
      "topsecretwordthatislong",
      'warning: Value of "secret" is 23 characters long (Windows: at most 16)',
    ],
  ] as const;
  for (const [value, message] of rows) {
    assertEquals(messagesOf(`${A}user=bob\nsecret=${value}`), [`conf:4: ${message}`]);
  }
});

Deno.test("a misplaced secret is not repeated", () => {
  const lines = [
    "secret topsecretword",
    "topsecretword",
    "= topsecretword",
    "[b] secret=topsecretword",
    "user=bob secret=topsecretword",
    "size=1MB mutual_secret = topsecretword",
    "secert=topsecretword",
    "alias = x secret = topsecretword",
  ];
  for (const line of lines) {
    const messages = messagesOf(`${A}${line}\n${ALICE}`);
    assertEquals(messages.length > 0, true, line);
    assertEquals(messages.filter((message) => message.includes("topsecret")), [], line);
  }
});

Deno.test("a name is printable ASCII without spaces", () => {
  assertEquals(messagesOf(`${A}user=two words\nsecret=bobsecret123`), [
    'conf:3: Cannot use user "two words": write printable ASCII without spaces',
  ]);
  assertEquals(
    messagesOf(`${A}user=${"u".repeat(256)}\nsecret=bobsecret123`).map((message) => message.slice(-31)),
    [
      '...": write at most 255 characters'.slice(-31),
    ],
  );
});

Deno.test("a file of secrets is its owner's alone", () => {
  const [rest, remedy] = ["so others can read or change it", 'run "chmod 600'];
  assertEquals(messagesOf(`${A}secrets=/open`), [
    `conf:3: Cannot use secrets file "/open": its mode is 0644, ${rest}; ${remedy} /open"`,
  ]);
  assertEquals(messagesOf(`${A}secrets=/group`), [
    `conf:3: Cannot use secrets file "/group": its mode is 0660, ${rest}; ${remedy} /group"`,
  ]);
  assertEquals(messagesOf(`${A}secrets=/missing`), [
    'conf:3: Cannot use secrets file "/missing": it does not exist; create it',
  ]);
  assertEquals(messagesOf(`${A}secrets=here`), [
    'conf:3: Cannot use secrets "here": write its absolute path, which begins with "/"',
  ]);
});

Deno.test("every error of a file of secrets has its line, once, and repeats nothing", () => {
  assertEquals(messagesOf(`secrets=/bad\n${A}secrets=/bad`), [
    "/bad:1: Cannot use the secret: it is 9 characters long; use 12 to 255 characters (Windows: at most 16)",
    "/bad:2: Missing secret: write NAME SECRET, with a space between them",
    "/bad:4: Duplicate name: line 3 has it already; remove one of them",
    "/bad:5: Cannot use the text after the secret: " +
    "write only iSCSI names there (one with spaces in quotation marks), and NAME and SECRET without spaces",
    "/bad:6: Cannot use the name: write printable ASCII without spaces",
  ]);
  assertEquals(messagesOf(`${A}secrets=/empty`), [
    "/empty:1: File has no secret: write one NAME SECRET per line",
  ]);
  assertEquals(messagesOf(`${A}secrets=/long`), [
    "/long:1: warning: The secret is 20 characters long (Windows: at most 16)",
  ]);
});

Deno.test("names and secrets that come twice", () => {
  assertEquals(messagesOf(`${A}user=alice\nsecret=bobsecret123\nsecrets=/good`), [
    'conf:3: Cannot use user "alice": "secrets" (line 5) has that name too; remove one of them',
  ]);
  assertEquals(messagesOf(`${A}secrets=/same`), [
    "conf:3: warning: Several names have the same secret, so each can impersonate the others: give each its own",
  ]);
});

Deno.test("a file of secrets has no names that look like comments", () => {
  const message = 'Cannot use the name: begin a comment with "#", in this file';
  assertEquals(messagesOf(`${A}secrets=/remarks`), [`/remarks:2: ${message}`, `/remarks:3: ${message}`]);
});

Deno.test("a conf that everyone can write is a warning", () => {
  const message =
    'conf:1: warning: The mode of this file is 0666, so every user can have any file served: run "chmod o-w" on it';
  assertEquals(messagesOf(`${A}secrets=/good`, 0o666), [message]);
  assertEquals(messagesOf(`${A}secrets=/good`, 0o664), []);
});

Deno.test("a conf with a secret that others can read is a warning, and one without is none", () => {
  const message =
    'warning: The mode of this file is 0640, so others can read its secrets: run "chmod 600" on it';
  assertEquals(messagesOf(`${A}${BOB}`, 0o640), [`conf:4: ${message}`]);
  assertEquals(messagesOf(`${BOB}${BOX}${A}`, 0o640), [`conf:2: ${message}`]);
  assertEquals(messagesOf(`${A}${BOB}`, 0o600), []);
  assertEquals(messagesOf(`${A}secrets=/good`, 0o644), []);
});

Deno.test("redirect is an address or a name, with or without a port", () => {
  const rows = [
    ["192.0.2.1", "192.0.2.1:3260"],
    ["192.0.2.1:860", "192.0.2.1:860"],
    ["[2001:DB8:0::1]:3261", "[2001:db8::1]:3261"],
    ["[2001:db8::1]", "[2001:db8::1]:3260"],
    ["2001:db8::1", "[2001:db8::1]:3260"],
    ["Box2.Example", "box2.example:3260"],
    ["permanent", "permanent:3260"],
  ] as const;
  for (const [value, targetAddress] of rows) {
    for (
      const [prefix, isPermanent] of [["", false], ["permanently ", true], ["Permanently \t", true]] as const
    ) {
      const { config } = parse(`${A}redirect=${prefix}${value}`);
      assertEquals(config?.targets[0]?.redirect, { targetAddress, isPermanent });
    }
  }
  for (
    const value of [
      "192.0.2.1:0",
      "192.0.2.1:65536",
      "192.0.2:80",
      "[192.0.2.1]:80",
      "a b",
      "host:",
      "-x",
      "a..b",
      "permanently",
      "permanently 192.0.2.1 192.0.2.2",
      "temporarily 192.0.2.1",
      "192.0.2.1 permanently",
    ]
  ) {
    assertEquals(messagesOf(`${A}redirect=${value}`), [
      `conf:3: Cannot use redirect "${value}": write ADDRESS or ADDRESS:PORT, an IPv6 address in square brackets, ` +
      'or the name of a host, after "permanently" if the target has moved for good',
    ]);
  }
});
