import { assertEquals } from "@std/assert";
import { findInitSystem } from "../../lib/cli/init_system.ts";

function find(paths: readonly string[], links: Readonly<Record<string, string>> = {}): string | undefined {
  return findInitSystem({ exists: (path) => paths.includes(path), linkAt: (path) => links[path] });
}

Deno.test("findInitSystem() finds what starts the services of a box", () => {
  assertEquals(find(["/run/systemd/system", "/etc/init.d"]), "systemd");
  assertEquals(find(["/sbin/openrc-run", "/etc/init.d"], { "/sbin/init": "openrc-init" }), "openrc");
  assertEquals(find(["/etc/init.d"], { "/sbin/init": "sysvinit" }), "sysv");
  assertEquals(find([]), undefined);
});

Deno.test("findInitSystem() finds the systemd of an image, which does not run", () => {
  for (const init of ["/sbin/init", "/usr/sbin/init"]) {
    assertEquals(find(["/etc/init.d"], { [init]: "/lib/systemd/systemd" }), "systemd");
  }
});
