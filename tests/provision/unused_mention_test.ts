import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import { UnusedMention } from "../../lib/provision/unused_mention.ts";
import { withScratch } from "./scratch.ts";

Deno.test("UnusedMention remembers a set of files, in any order", () =>
  withScratch(async (storage) => {
    Deno.mkdirSync(join(storage, ".iscsi"));
    assertEquals(new UnusedMention(storage).isNews([]), false);
    assertEquals(new UnusedMention(storage).isNews(["/s/a", "/s/b"]), true);
    await new UnusedMention(storage).record(["/s/a", "/s/b"]);
    assertEquals(new UnusedMention(storage).isNews(["/s/b", "/s/a"]), false);
    for (const other of [[], ["/s/a"], ["/s/a", "/s/b", "/s/c"]]) {
      assertEquals(new UnusedMention(storage).isNews(other), true, other.join());
    }
  }));

Deno.test("UnusedMention takes a damaged record for none, and one that cannot be written for nothing", () =>
  withScratch(async (storage) => {
    await new UnusedMention(storage).record(["/s/a"]);
    Deno.mkdirSync(join(storage, ".iscsi"));
    assertEquals(new UnusedMention(storage).isNews(["/s/a"]), true);
    for (const text of ["", "{", '{"version":99}', '{"version":1,"files":3}']) {
      Deno.writeTextFileSync(join(storage, ".iscsi/mentioned.json"), text);
      assertEquals(new UnusedMention(storage).isNews(["/s/a"]), true, text);
    }
  }));
