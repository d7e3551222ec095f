import { assertEquals, assertStringIncludes } from "@std/assert";
import { permissionFlags } from "../../dist/compile.ts";
import { limitRights, readScope, type Scope } from "../../dist/compile_scope.ts";
import { DEFAULT_CONF_FILE } from "../../lib/config/config.ts";

function scopeOf(...args: readonly string[]): Scope {
  const scope = readScope(args);
  if (typeof scope !== "object") throw new Error(`not a scope: ${scope}`);
  return scope;
}

Deno.test("readScope() takes no options for the general program", () => {
  assertEquals(readScope([]), undefined);
});

Deno.test("readScope() takes repeated options, in both forms", () => {
  const scope = scopeOf(
    ...[
      "--storage",
      "/data/a/",
      "--storage=/data/b",
      "--listen",
      "10.0.0.5:3260",
      "--listen=10.1.0.0/16:3260",
    ],
    ...[
      "--listen",
      "[fd00::1]:3260",
      "--listen",
      "0.0.0.0:3261",
      "--conf",
      "/etc/x.conf",
      "--conf=/etc/secrets",
    ],
  );
  assertEquals(scope, {
    storage: ["/data/a", "/data/b"],
    conf: ["/etc/x.conf", "/etc/secrets"],
    net: ["10.0.0.5:3260", "10.1.0.0/16:3260", "[fd00::1]:3260", "[::]:3261", "0.0.0.0:3261"],
    hasDevices: false,
  });
  assertEquals(scopeOf("--storage", "/s", "--listen", "10.0.0.5:3260").conf, [DEFAULT_CONF_FILE]);
});

Deno.test("readScope() refuses what is not a scope, and names it", () => {
  const good = ["--storage", "/s", "--listen", "10.0.0.5:3260"];
  const rows: readonly (readonly [args: readonly string[], part: string])[] = [
    [["--storge", "/s"], 'Unknown option "--storge"'],
    [["here"], 'Unknown option "here"'],
    [["--storage"], "Missing value of --storage"],
    [["--storage="], "Missing value of --storage"],
    [["--storage", "/s"], "Missing --listen"],
    [["--listen", "10.0.0.5:3260"], "Missing --storage"],
    [["--storage", "/dev/sdb", "--listen", "10.0.0.5:3260"], "Missing --storage"],
    [[...good, "--storage", "data"], 'Cannot use "data"'],
    [[...good, "--conf", "/a,b"], 'Cannot use "/a,b"'],
    [[...good, "--storage", `/${"x".repeat(100)}`], "control socket"],
    ...[
      "10.0.0.5",
      "host:3260",
      "10.0.0.5:0",
      "10.0.0.5:65536",
      "10.0.0.0/33:3260",
      "fd00::/64:3260",
      "::1:3260",
    ]
      .map((text) => [[...good, "--listen", text], `Cannot use --listen "${text}"`] as const),
  ];
  for (const [args, part] of rows) assertStringIncludes(String(readScope(args)), part, args.join(" "));
});

Deno.test("limitRights() leaves no right to a path, address or program beyond the scope", () => {
  const scope = scopeOf("--storage", "/s", "--listen", "10.0.0.5:3260");
  const flags = limitRights(permissionFlags(), scope, { hasSocketRights: false });
  assertEquals(flags.length, permissionFlags().length);
  assertEquals(flags.filter((flag) => !flag.includes("=")), ["--no-prompt"]);
  for (
    const flag of [`--allow-read=/s,${DEFAULT_CONF_FILE}`, "--allow-write=/s", "--allow-net=10.0.0.5:3260"]
  ) {
    assertEquals(flags.includes(flag), true, flag);
  }
  assertEquals(flags.some((flag) => /losetup|lsblk|mknod/.test(flag)), false);
});

Deno.test("limitRights() adds the programs for block devices, and the control socket where that is a right", () => {
  const scope = scopeOf("--storage", "/s", "--storage", "/dev/sdb", "--listen", "10.0.0.5:3260");
  const flags = limitRights(permissionFlags(), scope, { hasSocketRights: true });
  assertEquals(flags.includes("--allow-net=10.0.0.5:3260,unix:/s/.iscsi/control"), true, flags.join(" "));
  const run = (list: readonly string[]): string | undefined =>
    list.find((flag) => flag.startsWith("--allow-run="));
  assertEquals(run(flags), run(permissionFlags()));
});
