import { assert, assertEquals, assertMatch } from "@std/assert";
import { EXIT_CODES } from "../../lib/cli/exit_code.ts";
import { systemdUnit, type UnitNeeds } from "../../lib/cli/systemd_unit.ts";

const NEEDS: UnitNeeds = {
  program: "/usr/local/sbin/iscsi",
  conf: undefined,
  folders: ["/data/iscsi"],
  devices: [],
  usesHome: false,
  usesTemporary: false,
  networks: ["192.168.100.0/24", "fd00::/64"],
  openReason: "",
  hasLowPort: false,
  hasForeignFiles: false,
  unitCount: 2,
};

/** Returns the values of a setting, in their order. */
function valuesOf(setting: string, needs: Partial<UnitNeeds> = {}): string[] {
  const lines = systemdUnit({ ...NEEDS, ...needs }).split("\n");
  return lines.filter((line) => line.startsWith(`${setting}=`)).map((line) => line.slice(setting.length + 1));
}

Deno.test("systemdUnit() has only sections, settings and comments on lines of their own", () => {
  const unit = systemdUnit({
    ...NEEDS,
    devices: [{ path: "/dev/sdb", readOnly: false }],
    networks: undefined,
  });
  for (const line of unit.split("\n")) assertMatch(line, /^(?:|[#].*|\[[A-Z][a-z]+\]|[A-Z][A-Za-z]+=[^#]*)$/);
});

Deno.test("systemdUnit() is not restarted after errors that a restart does not repair", () => {
  const { wrongUsage, confErrors } = EXIT_CODES;
  assertEquals(valuesOf("RestartPreventExitStatus"), [`${wrongUsage.code} ${confErrors.code}`]);
});

Deno.test("systemdUnit() names the program and a conf other than the default in every command", () => {
  const commands = (needs: Partial<UnitNeeds>): string[] =>
    ["ExecStart", "ExecReload"].flatMap((setting) => valuesOf(setting, needs));
  assertEquals(commands({}), [
    "/usr/local/sbin/iscsi serve --log journal",
    "/usr/local/sbin/iscsi reload",
  ]);
  assertEquals(commands({ program: "/opt/my iscsi", conf: '/etc/50%/a "$b"' }), [
    '"/opt/my iscsi" serve --log journal --conf "/etc/50%%/a \\"$$b\\""',
    '"/opt/my iscsi" reload --conf "/etc/50%%/a \\"$$b\\""',
  ]);
});

Deno.test("systemdUnit() cannot be given another line by the name of a conf", () => {
  const unit = systemdUnit({ ...NEEDS, conf: "/etc/a\nUser=other" });
  assert(!/^User=/m.test(unit), unit);
});

Deno.test("systemdUnit() lets the server write its folders only", () => {
  assertEquals(valuesOf("ProtectSystem"), ["strict"]);
  const folders = ["/data/iscsi", "/mnt/with space"];
  assertEquals(valuesOf("ReadWritePaths", { folders }), ["-/data/iscsi", '"-/mnt/with space"']);
  assertEquals(valuesOf("RequiresMountsFor", { folders }), ['/data/iscsi "/mnt/with space"']);
  assertEquals([valuesOf("ProtectHome"), valuesOf("PrivateTmp")], [["yes"], ["yes"]]);
  assertEquals(valuesOf("ProtectHome", { usesHome: true }), ["read-only"]);
  assertEquals(valuesOf("PrivateTmp", { usesTemporary: true }), ["no"]);
});

Deno.test("systemdUnit() hides devices, or allows those of the conf to be made and used", () => {
  assertEquals([valuesOf("PrivateDevices"), valuesOf("DeviceAllow")], [["yes"], []]);
  const devices = [{ path: "/dev/sdb", readOnly: false }, { path: "/dev/vg/lv", readOnly: true }];
  assertEquals(valuesOf("DeviceAllow", { devices }), ["/dev/sdb rwm", "/dev/vg/lv rm"]);
  assertEquals(valuesOf("DevicePolicy", { devices }), ["closed"]);
  assertEquals(valuesOf("PrivateDevices", { devices }), ["no"]);
});

Deno.test("systemdUnit() drops packets of other networks where all are known, else gives the reason", () => {
  assertEquals(valuesOf("IPAddressAllow"), ["192.168.100.0/24 fd00::/64"]);
  assertEquals(valuesOf("IPAddressDeny"), ["any"]);
  const open = { networks: undefined, openReason: '[a] has no "networks"' };
  assertEquals([valuesOf("IPAddressAllow", open), valuesOf("IPAddressDeny", open)], [[], []]);
  assertMatch(systemdUnit({ ...NEEDS, ...open }), /^# No IPAddressAllow: \[a\] has no "networks"\.$/m);
});

Deno.test("systemdUnit() has the capabilities that the files and ports need, and no others", () => {
  assertEquals(valuesOf("CapabilityBoundingSet"), [""]);
  const all = { devices: [{ path: "/dev/sdb", readOnly: false }], hasLowPort: true, hasForeignFiles: true };
  assertEquals(valuesOf("CapabilityBoundingSet", all), [
    "CAP_DAC_OVERRIDE CAP_FOWNER CAP_MKNOD CAP_NET_BIND_SERVICE",
  ]);
});

Deno.test("systemdUnit() allows file descriptors for many LUNs", () => {
  assertEquals(valuesOf("LimitNOFILE"), ["65536"]);
  const [most] = valuesOf("LimitNOFILE", { unitCount: 10_000 });
  assert(Number(most) > 10_000 * 20, most);
});
