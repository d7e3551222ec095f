import { assertEquals } from "@std/assert";
import { runScript } from "../support/run_script.ts";

/** Runs code with the `ProcessRights` of a process, and returns what it prints. */
function runWith(rights: readonly string[], code: string): Promise<string> {
  const script = `import { ProcessRights } from "lib/server/held_rights.ts";
    const rights = new ProcessRights();
    const state = (name) => Deno.permissions.querySync(name === "sys" ? { name, kind: "statfs" }
      : name === "run" ? { name, command: "/usr/bin/flock" } : { name }).state === "granted";
    const states = () => ["read", "write", "net", "run", "sys"].filter(state).join();
    ${code}`;
  return runScript(script, { rights });
}

const GENERAL = ["--allow-read", "--allow-write", "--allow-net"];
const PROGRAMS = ["--allow-run=/usr/bin/flock", "--allow-sys=statfs"];

Deno.test("ProcessRights.keep() drops every other kind of right, and has() still knows what there was", async () => {
  const code = `rights.keep(["read", "sys"]); console.log(states());
    console.log(rights.has({ name: "write", path: "/x" }), rights.has({ name: "net", host: "1.2.3.4:5" }));
    try { Deno.writeTextFileSync("/tmp/never", ""); } catch (error) { console.log(error.name); }
    rights.keep([]); console.log(states());`;
  assertEquals(await runWith([...GENERAL, ...PROGRAMS], code), "read,sys\ntrue true\nNotCapable\n\n");
});

Deno.test("ProcessRights.keep() leaves rights to some paths and addresses as they are", async () => {
  const code = `rights.keep([]); console.log(states());
    console.log(["/a", "/a/b", "/b"].map((path) => rights.has({ name: "write", path })).join());
    console.log(["10.0.0.1:1", "10.0.0.2:1"].map((host) => rights.has({ name: "net", host })).join());`;
  const flags = ["--allow-read=/a", "--allow-write=/a", "--allow-net=10.0.0.1:1", ...PROGRAMS];
  assertEquals(await runWith(flags, code), "\ntrue,true,false\ntrue,false\n");
});
