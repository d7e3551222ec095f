import { assertEquals } from "@std/assert";
import { interfaceAddresses } from "../../lib/access/interfaces.ts";
import { parseConfig } from "../../lib/config/parse_config.ts";
import { findMissingRights } from "../../lib/server/missing_rights.ts";

const INTERFACES = interfaceAddresses([
  { name: "lo", address: "127.0.0.1", cidr: "127.0.0.1/8" },
  { name: "eth0", address: "10.0.0.5", cidr: "10.0.0.5/24" },
  { name: "eth1", address: "10.0.1.5", cidr: "10.0.1.5/24" },
]);

/** The rights of a program that was compiled for `/data`, at one address and at the wildcard of another port. */
function mayUse(right: Deno.PermissionDescriptor): boolean {
  if (right.name === "net") return ["10.0.0.5:3260", "[::]:3261", "0.0.0.0:3261"].includes(right.host ?? "");
  return (right.name === "read" || right.name === "write") && `${right.path ?? ""}/`.startsWith("/data/");
}

function missing(text: string, has = mayUse): string[] {
  const { config, diagnostics, lines } = parseConfig(text, { file: "conf" });
  assertEquals(diagnostics, []);
  const context = { rights: { has }, interfaces: () => INTERFACES };
  return findMissingRights(config!, lines, context).map(({ line, message, severity }) => {
    assertEquals(severity, "error");
    return `${line}: ${message}`;
  });
}

const WITHOUT = "this program was compiled without the";

Deno.test("findMissingRights() finds nothing in a conf within the rights", () => {
  assertEquals(missing("storage=/data\n[a]\nsize=1MB 1MB\nfile=/data/sub/a\nnetworks=10.0.0.0/24\n"), []);
  assertEquals(missing("storage=/data/sub\nport=3261\n[a]\nsize=1MB\n"), []);
  // Nothing is listened at in a network without an address of this server.
  assertEquals(missing("storage=/data\n[a]\nsize=1MB\nnetworks=192.168.0.0/24\n"), []);
});

Deno.test("findMissingRights() asks nothing of a program that may do everything", () => {
  const has = ({ name }: Deno.PermissionDescriptor): boolean => name !== "sys";
  assertEquals(missing("storage=/other\n[a]\nsize=1MB\nfile=/dev/sdz\n", has), []);
});

Deno.test("findMissingRights() names line, value, right and remedy of each part of the conf", () => {
  const rows: readonly (readonly [text: string, message: string])[] = [
    [
      "# first\nstorage=/other\n[a]\nsize=1MB\nnetworks=10.0.0.0/24",
      `2: Cannot use storage "/other": ${WITHOUT} write right for it; compile it with --storage /other`,
    ],
    [
      "[a]\nsize=1MB\nnetworks=10.0.0.0/24",
      `1: Cannot use storage "/usr/shares/iscsi": ${WITHOUT} write right for it; compile it with --storage ` +
      "/usr/shares/iscsi",
    ],
    [
      "storage=/data\n[a]\nsize=1MB 1MB\nfile=/other/a\nnetworks=10.0.0.0/24",
      `4: Cannot use file "/other/a": ${WITHOUT} write right for it; compile it with --storage /other`,
    ],
    [
      "storage=/data\n[a]\nsize=1MB\nfile=/dev/sdz\nnetworks=10.0.0.0/24",
      `4: Cannot use block device "/dev/sdz": ${WITHOUT} run right for it; compile it with --storage /dev/sdz`,
    ],
    [
      "storage=/data\nmetrics=9100\n[a]\nsize=1MB\nnetworks=10.0.0.0/24",
      `2: Cannot serve metrics at 127.0.0.1:9100: ${WITHOUT} net right for it; compile it with --listen 127.0.0.1:9100`,
    ],
    [
      "storage=/data\n[a]\nsize=1MB\nnetworks=10.0.0.0/16\n[b]\nsize=1MB\nnetworks=10.0.1.0/24",
      `4: Cannot listen at 10.0.1.5:3260 for [a]: ${WITHOUT} net right for it; compile it with --listen 10.0.1.5:3260`,
    ],
    [
      "storage=/data\nnetworks=10.0.0.0/24\nport=3262\n[a]\nsize=1MB",
      `2: Cannot listen at 10.0.0.5:3262 for [a]: ${WITHOUT} net right for it; compile it with --listen 10.0.0.5:3262`,
    ],
    [
      "storage=/data\n[a]\nsize=1MB",
      '2: Cannot listen at every address, port 3260, for [a], which has no "networks": ' +
      `${WITHOUT} net right for it; compile it with --listen [::]:3260`,
    ],
  ];
  for (const [text, message] of rows) assertEquals(missing(text), [message], text);
});

Deno.test("findMissingRights() takes the right to run mknod for the one to serve block devices", () => {
  const has = (right: Deno.PermissionDescriptor): boolean =>
    mayUse(right) || (right.name === "run" && right.command === "/usr/bin/mknod");
  assertEquals(
    missing("storage=/data\n[a]\nsize=1MB\nfile=/dev/sdz\nnetworks=10.0.0.0/24", has),
    [],
  );
});
