import { assertEquals, assertThrows } from "@std/assert";
import { isOptionName, OPTION_NAMES, OPTIONS } from "../../lib/config/options.ts";
import { defaultOf } from "../../lib/config/read_options.ts";

Deno.test("OPTIONS has every option of the description, in the part of the conf that it names", () => {
  const places = Object.fromEntries(Object.entries(OPTIONS).map(([name, { place }]) => [name, place]));
  assertEquals(places, {
    storage: "global",
    node: "global",
    sessions: "global",
    connections: "global",
    port: "both",
    ping: "global",
    pingtimeout: "global",
    metrics: "global",
    chap_minimum: "global",
    size: "target",
    file: "target",
    comment: "target",
    alias: "target",
    readonly: "target",
    blocksize: "target",
    physicalblocksize: "target",
    removable: "target",
    writecache: "target",
    vendor: "target",
    product: "target",
    revision: "target",
    serial: "target",
    naa: "target",
    redirect: "target",
    networks: "both",
    initiators: "both",
    user: "both",
    secret: "both",
    secrets: "both",
    mutual_user: "both",
    mutual_secret: "both",
  });
});

Deno.test("OPTIONS has a default for all but size, and those that are values can be read", () => {
  const mandatory = OPTION_NAMES.filter((name) => OPTIONS[name].default === undefined);
  assertEquals(mandatory, ["size"]);
  const values = OPTION_NAMES.filter((name) => "value" in (OPTIONS[name].default ?? {}));
  assertEquals<unknown>(values.map(defaultOf), [
    "/usr/shares/iscsi",
    "iqn.2002-08.info.netmanager",
    32,
    8,
    3260,
    30,
    30,
    "md5",
    false,
    512,
    false,
    true,
  ]);
  assertThrows(() => defaultOf("size"), Error, 'Option "size" has no default value');
});

Deno.test("isOptionName() knows no more than the table", () => {
  assertEquals(["size", "port"].every(isOptionName), true);
  assertEquals(["", "Size", "toString", "__proto__"].some(isOptionName), false);
});
