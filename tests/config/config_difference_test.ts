import { assert, assertEquals } from "@std/assert";
import type { FileReading } from "../../lib/config/build_chap.ts";
import type { Config } from "../../lib/config/config.ts";
import {
  type Change,
  configDifference,
  consequenceOf,
  CONSEQUENCES,
  describeChange,
} from "../../lib/config/config_difference.ts";
import { OPTION_NAMES, OPTIONS } from "../../lib/config/options.ts";
import { parseConfig } from "../../lib/config/parse_config.ts";
import { configOf } from "../provision/conf.ts";

const MB = 1024 ** 2;

/** Returns the differences when lines replace others below `[a]`, or above it. */
function differenceOf(before: readonly string[], after: readonly string[]): Change[] {
  const make = (lines: readonly string[]): ReturnType<typeof configOf> => configOf("storage=/data", ...lines);
  return configDifference(make(before), make(after));
}

/** The lines of `[a]` with `options`, and before it the global ones. */
function conf(options: readonly string[], globals: readonly string[] = []): string[] {
  return [...globals, "[a]", ...options];
}

Deno.test("configDifference() finds none between two spellings of one configuration", () => {
  const before = [
    "networks=10.0.0.0/8 fd00::/8",
    "initiators=iqn.2001-01.a:1 iqn.2001-01.a:2",
    "[a]",
    "size=1GB",
  ];
  const after = [
    "# The same in other words.",
    ...["initiators=iqn.2001-01.A:2 iqn.2001-01.a:1", "networks=fd00:0::/8 10.1.2.3/8", "port=3260"],
    ...["[a]", "size=1024MB", "comment=a", "file=/data/a", "blocksize=512"],
  ];
  assertEquals(differenceOf(before, after), []);
});

/** Another value than the default of every option, and what goes with it. */
const VALUES: Readonly<Record<string, string>> = {
  storage: "storage=/other",
  node: "node=iqn.2001-01.other",
  sessions: "sessions=7",
  connections: "connections=7",
  port: "port=7",
  ping: "ping=7",
  pingtimeout: "pingtimeout=7",
  metrics: "metrics=7",
  size: "size=4MB",
  file: "file=b",
  comment: "comment=b",
  alias: "alias=b",
  readonly: "readonly=y",
  blocksize: "blocksize=4096",
  physicalblocksize: "physicalblocksize=512",
  removable: "removable=y",
  writecache: "writecache=n",
  vendor: "vendor=b",
  product: "product=b",
  revision: "revision=b",
  serial: "serial=b",
  naa: "naa=3000000000000001",
  networks: "networks=10.0.0.0/8",
  initiators: "initiators=iqn.2001-01.b:b",
  chap_minimum: "chap_minimum=sha1",
  redirect: "redirect=10.0.0.9",
  user: "user=b\nsecret=secretofuser1",
  secret: "user=b\nsecret=secretofuser1",
  secrets: "secrets=/b",
  mutual_user: "secrets=/b\nmutual_user=b\nmutual_secret=secretofours1",
  mutual_secret: "secrets=/b\nmutual_user=b\nmutual_secret=secretofours1",
};

Deno.test("configDifference() has an answer for every option of the conf", () => {
  const base: Readonly<Record<string, string>> = { size: "size=2MB" };
  const found = OPTION_NAMES.map((name) => {
    const value = VALUES[name];
    assert(value !== undefined, `option "${name}" has no value here`);
    const isGlobal = OPTIONS[name].place === "global";
    const options = isGlobal ? base : { ...base, [name]: value };
    const storage = name === "storage" ? [] : ["storage=/data"];
    const globals = isGlobal ? [...storage, value] : storage;
    const after = configOf(...conf(Object.values(options), globals));
    const changes = configDifference(configOf("storage=/data", ...conf(["size=2MB"])), after);
    return [name, changes.map((change) => `${change.kind}: ${consequenceOf(change)}`)] as const;
  });
  assertEquals(Object.fromEntries(found), {
    storage: ["serverOptionChanged: ended"],
    node: ["serverOptionChanged: ended"],
    sessions: ["serverOptionChanged: unnoticed"],
    connections: ["serverOptionChanged: unnoticed"],
    port: ["targetOptionChanged: loggedIn"],
    ping: ["serverOptionChanged: unnoticed"],
    pingtimeout: ["serverOptionChanged: unnoticed"],
    metrics: ["serverOptionChanged: unnoticed"],
    size: ["logicalUnitGrown: told"],
    file: ["logicalUnitReplaced: loggedIn"],
    comment: ["targetOptionChanged: unnoticed"],
    alias: ["targetOptionChanged: admitted"],
    readonly: ["targetOptionChanged: told"],
    blocksize: ["logicalUnitReplaced: loggedIn"],
    physicalblocksize: ["logicalUnitReplaced: loggedIn"],
    removable: ["logicalUnitReplaced: loggedIn"],
    writecache: ["targetOptionChanged: told"],
    vendor: ["logicalUnitReplaced: loggedIn"],
    product: ["targetOptionChanged: told"],
    revision: ["targetOptionChanged: told"],
    serial: ["logicalUnitReplaced: loggedIn"],
    naa: ["logicalUnitReplaced: loggedIn"],
    networks: ["targetOptionChanged: admitted"],
    initiators: ["targetOptionChanged: admitted"],
    chap_minimum: ["serverOptionChanged: unnoticed"],
    redirect: ["targetOptionChanged: loggedIn"],
    ...Object.fromEntries(
      ["user", "secret", "secrets", "mutual_user", "mutual_secret"]
        .map((name) => [name, ["targetOptionChanged: admitted"]]),
    ),
  });
});

Deno.test("configDifference() returns removals before additions, target by target", () => {
  const before = ["[a]", "size=1MB 1MB", "[b]", "size=1MB", "[c]", "size=1MB"];
  const after = ["[d]", "size=1MB 1MB", "[a]", "size=2MB", "[c]", "size=1MB 3MB"];
  assertEquals(differenceOf(before, after), [
    { kind: "targetRemoved", target: "b" },
    { kind: "targetAdded", target: "d", logicalUnits: 2 },
    { kind: "logicalUnitRemoved", target: "a", lun: 1, path: "/data/a_1" },
    {
      kind: "logicalUnitGrown",
      target: "a",
      lun: 0,
      path: "/data/a",
      fromBytes: MB,
      sizeBytes: 2 * MB,
    },
    { kind: "logicalUnitAdded", target: "c", lun: 1, path: "/data/c_1", sizeBytes: 3 * MB },
  ]);
});

Deno.test("configDifference() takes a LUN that is smaller or differs in several ways for another disk", () => {
  const before = conf(["size=2MB 1MB", "product=x"]);
  const after = conf(["size=1MB 4MB", "file=b", "blocksize=4096", "serial=S", "product=y"]);
  assertEquals(differenceOf(before, after), [
    {
      kind: "logicalUnitReplaced",
      target: "a",
      lun: 0,
      path: "/data/b",
      options: ["blocksize", "serial", "file", "size"],
    },
    {
      kind: "logicalUnitReplaced",
      target: "a",
      lun: 1,
      path: "/data/b_1",
      options: ["blocksize", "serial", "file"],
    },
    {
      kind: "targetOptionChanged",
      target: "a",
      option: "product",
      from: '"x"',
      to: '"y"',
      consequence: "told",
    },
  ]);
});

Deno.test("configDifference() knows files again in a storage folder of another name", () => {
  const before = configOf("storage=/data", "[a]", "size=1MB", "[b]", "size=1MB", "file=/elsewhere/b");
  const after = configOf("storage=/more/data", "[a]", "size=1MB", "[b]", "size=1MB", "file=/data/b");
  assertEquals(configDifference(before, after).map(({ kind }) => kind), [
    "serverOptionChanged",
    "logicalUnitReplaced",
  ]);
});

Deno.test("configDifference() names globals that targets inherit once for each of them", () => {
  const targets = ["[a]", "size=1MB", "[b]", "size=1MB", "initiators=iqn.2001-01.b:b", "[c]", "size=1MB"];
  const changes = differenceOf(targets, ["initiators=iqn.2001-01.a:a", ...targets]);
  assertEquals(changes.map((change) => "target" in change && change.target), ["a", "c"]);
});

Deno.test("describeChange() describes every change in one line", () => {
  const before = ["[a]", "size=1GB 1MB", "comment=old", "[b]", "size=1MB", "[c]", "size=1MB"];
  const after = [
    ...[
      "port=3261",
      "[a]",
      "size=1536MB",
      "comment=new",
      "readonly=y",
      "alias=x",
      "initiators=iqn.2001-01.a:a",
    ],
    ...["[b]", "size=1MB 1MB", "file=bb", "[d]", "size=1MB"],
  ];
  const changes = differenceOf(before, after);
  assertEquals(changes.map((change) => `${describeChange(change)}: ${CONSEQUENCES[consequenceOf(change)]}`), [
    "set port from 3260 to 3261: no session is affected",
    "remove target [c]: sessions are asked to log out",
    'remove LUN 1 of [a] ("/data/a_1"): sessions get a unit attention',
    'grow LUN 0 of [a] ("/data/a") from 1 GB to 1.5 GB: sessions get a unit attention',
    "set initiators of [a] from all to iqn.2001-01.a:a: sessions that are no longer allowed are asked to log out",
    'set alias of [a] from none to "iqn.2002-08.info.netmanager:x": ' +
    "sessions that are no longer allowed are asked to log out",
    'set comment of [a] from "old" to "new": no session is affected',
    "set readonly of [a] from n to y: sessions get a unit attention",
    "set port of [a] from 3260 to 3261: sessions are asked to log in again",
    'replace LUN 0 of [b] ("/data/bb"): another file: sessions are asked to log in again',
    'add LUN 1 of [b] ("/data/bb_1") with 1 MB: sessions get a unit attention',
    "set port of [b] from 3260 to 3261: sessions are asked to log in again",
    "add target [d] with 1 LUN: no session is affected",
  ]);
});

Deno.test("configDifference() finds another secret, and shows neither", () => {
  const before = conf(["size=1MB", "user=b", "secret=secretofuser1"]);
  for (const option of ["secret=secretofuser2", "mutual_user=m\nmutual_secret=secretofours1"]) {
    const after = [...before.filter((line) => option.startsWith("m") || !line.startsWith("secret")), option];
    const changes = differenceOf(before, after);
    assertEquals(changes.map(describeChange), ["set CHAP of [a] from 1 name to 1 name"]);
    assertEquals(JSON.stringify(changes).includes("secretof"), false);
  }
  assertEquals(differenceOf(before, before), []);
});

Deno.test("configDifference() finds to whom a name is bound, in whatever order", () => {
  const bound = (initiators: string): Config => {
    const readFile = (): FileReading => ({ text: `bob secretofbob1 ${initiators}`, mode: 0o600 });
    return parseConfig("[a]\nsize=1MB\nsecrets=/b", { file: "conf", readFile }).config!;
  };
  const [both, turned] = [bound("iqn.2001-01.a:1 iqn.2001-01.a:2"), bound("iqn.2001-01.a:2 iqn.2001-01.a:1")];
  assertEquals(configDifference(both, turned), []);
  for (const other of [bound(""), bound("iqn.2001-01.a:1")]) {
    const changes = configDifference(both, other);
    assertEquals(changes.map(describeChange), ["set CHAP of [a] from 1 name to 1 name"]);
    assertEquals(changes.map(consequenceOf), ["admitted"]);
  }
});
