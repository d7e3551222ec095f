import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { configDifference } from "../../lib/config/config_difference.ts";
import {
  secretsText,
  summarizeConfig,
  type SummaryDifference,
  summaryDifferences,
} from "../../lib/config/config_summary.ts";
import { configOf } from "../provision/conf.ts";

function differencesOf(here: readonly string[], there: readonly string[]): SummaryDifference[] {
  return summaryDifferences(summarizeConfig(configOf(...here)), summarizeConfig(configOf(...there)));
}

Deno.test("summaryDifferences() finds none between two spellings, two folders and two files of one conf", () => {
  const here = [
    ...["storage=/data", "networks=10.0.0.0/8 fd00::/8", "initiators=iqn.2001-01.a:1 iqn.2001-01.a:2"],
    ...["[a]", "size=1GB", "[b]", "size=1MB", "file=/dev/sdx"],
  ];
  const there = [
    ...["# The same in other words.", "storage=/mnt/data"],
    ...["initiators=iqn.2001-01.A:2 iqn.2001-01.a:1", "networks=fd00:0::/8 10.1.2.3/8", "port=3260"],
    ...["[b]", "size=1MB", "file=/dev/sdx", "[a]", "size=1024MB", "comment=a"],
  ];
  assertEquals(differencesOf(here, there), []);
});

Deno.test("summaryDifferences() names options, targets and LUNs", () => {
  const here = ["ping=7", "[a]", "size=1GB 2GB", "readonly=y", "[constructor]", "size=1MB"];
  const there = ["[a]", "size=2GB", "initiators=iqn.2001-01.a:1", "naa=3000000000000001", "[c]", "size=1MB"];
  assertEquals(differencesOf(here, there), [
    { target: undefined, text: "ping is 7, there 30" },
    { target: "a", text: "initiators is all, there iqn.2001-01.a:1" },
    { target: "a", text: "readonly is y, there n" },
    { target: "a", text: "size of LUN 0 is 1 GB, there 2 GB" },
    { target: "a", text: 'file of LUN 1 is "a_1", there none' },
    { target: "a", text: "size of LUN 1 is 2 GB, there none" },
    { target: "a", text: "naa of LUN 0 is none, there 3000000000000001" },
    { target: "constructor", text: "is only here" },
    { target: "c", text: "is only there" },
  ]);
});

Deno.test("summarizeConfig() and secretsText() miss nothing that configDifference() finds", () => {
  const before = ["[a]", "size=1GB", "user=bob", "secret=aaaaaaaaaaaa"];
  const changes = [
    ...["node=iqn.2001-01.other", "sessions=7", "connections=7", "port=7", "ping=7", "pingtimeout=7"],
    ...["metrics=7", "chap_minimum=sha256", "networks=10.0.0.0/8", "comment=b", "alias=b", "readonly=y"],
    ...[
      "blocksize=4096",
      "physicalblocksize=512",
      "removable=y",
      "writecache=n",
      "serial=b",
      "vendor=b",
      "product=b",
    ],
    ...["revision=b", "redirect=10.0.0.1", "naa=3000000000000001", "initiators=iqn.2001-01.b:1", "file=b"],
    ...["size=2GB", "user=eve", "secret=bbbbbbbbbbbb"],
  ];
  const globals = ["node", "sessions", "connections", "ping", "pingtimeout", "metrics", "chap_minimum"];
  for (const change of changes) {
    const name = change.split("=")[0]!;
    const rest = before.filter((line) => !line.startsWith(`${name}=`));
    const after = globals.includes(name) ? [change, ...rest] : [...rest, change];
    const [mine, theirs] = [configOf(...after), configOf(...before)];
    assert(configDifference(theirs, mine).length > 0, change);
    const found = summaryDifferences(summarizeConfig(mine), summarizeConfig(theirs));
    assertEquals(found.length > 0 || secretsText(mine) !== secretsText(theirs), true, change);
  }
});

Deno.test("summarizeConfig() has no CHAP name and no secret; secretsText() has them in a fixed order", () => {
  const lines = ["[a]", "size=1MB", "user=bob", "secret=aaaaaaaaaaaa", "[b]", "size=1MB"];
  const config = configOf(...lines);
  assert(!/bob|aaaaaaaaaaaa|6161/.test(JSON.stringify(summarizeConfig(config))));
  assertEquals(secretsText(configOf("[a]", "size=1MB")), "");
  const reordered = configOf("[b]", "size=1MB", ...lines.slice(0, 4));
  assertEquals(secretsText(reordered), secretsText(config));
  assertNotEquals(
    secretsText(configOf(...lines.slice(0, 4), "[b]", "size=1MB", "user=bob", "secret=aaaaaaaaaaaa")),
    secretsText(config),
  );
});
