import { assertEquals, assertThrows } from "@std/assert";
import {
  basename,
  dirname,
  fromFileUrl,
  isAbsolute,
  join,
  normalize,
  relative,
  resolve,
  toFileUrl,
} from "@std/path";

Deno.test("@std/path takes paths apart and puts them together", () => {
  assertEquals(basename("/data/iscsi/a.img"), "a.img");
  assertEquals(basename("/data/iscsi/a.img", ".img"), "a");
  assertEquals(dirname("/data/iscsi/a"), "/data/iscsi");
  assertEquals(dirname("/"), "/");
  assertEquals(join("/data", "a/../b", "c"), "/data/b/c");
  assertEquals(normalize("/data//a/./../b/"), "/data/b/");
  assertEquals(relative("/data/a", "/data/b/c"), "../b/c");
});

Deno.test("@std/path resolve() takes an absolute path over all before it, and ends without a slash", () => {
  assertEquals(resolve("/data", "a"), "/data/a");
  assertEquals(resolve("/data", "/dev//sdb"), "/dev/sdb");
  assertEquals(resolve("/data", ".."), "/");
  assertEquals(resolve("/data/"), "/data");
});

Deno.test("@std/path isAbsolute() looks at the first character", () => {
  assertEquals(["/", "/a", "a", "./a", "../a", "~", ""].filter(isAbsolute), ["/", "/a"]);
});

Deno.test("@std/path converts file URLs", () => {
  assertEquals(fromFileUrl("file:///a%20b/c"), "/a b/c");
  assertEquals(fromFileUrl(new URL("file:///a")), "/a");
  assertEquals(toFileUrl("/a b/100%").href, "file:///a%20b/100%25");
  assertThrows(() => fromFileUrl("http://example.com/a"), TypeError);
});
