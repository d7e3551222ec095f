import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import { provision } from "../../lib/provision/provision.ts";
import { findStrangers } from "../../lib/provision/strangers.ts";
import { survey } from "../../lib/provision/survey.ts";
import { configOf } from "./conf.ts";
import { withScratch } from "./scratch.ts";

Deno.test("findStrangers() finds what is neither a disk, nor the conf, nor of the file system", async () => {
  await withScratch(async (folder) => {
    for (const name of ["a", "a_1", "zoo", "conf", ".hidden"]) Deno.writeTextFileSync(join(folder, name), "");
    for (const name of ["lost+found", "sub", "home"]) Deno.mkdirSync(join(folder, name));
    const config = configOf(`storage=${folder}`, "[a]", "size=1MB 1MB", "[b]", "size=1MB", "file=sub/b");
    const storage = { path: folder, realPath: folder };
    assertEquals(findStrangers({ ...config, file: join(folder, "conf") }, storage), ["home", "zoo"]);
    assertEquals(findStrangers(config, { path: "/none", realPath: "/none" }), []);
    // Where a build has been, the other files are known.
    assertEquals(survey(config).strangers, ["conf", "home", "zoo"]);
    for (const name of ["a", "a_1"]) Deno.removeSync(join(folder, name));
    const { warnings } = await provision(config);
    assertEquals(warnings.filter(({ message }) => message.includes('"conf" and 2 more')).length, 1);
    assertEquals(survey(config).strangers, []);
  });
});
