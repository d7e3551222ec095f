/** The example conf as libiscsi's tools see it. */
import { assertEquals, assertMatch, assertNotEquals, assertStringIncludes } from "@std/assert";
import { runTool, runToolOk, testWithTools } from "../support/tools.ts";
import {
  Appliance,
  FIRST_INITIATOR,
  SECOND_INITIATOR,
  STRANGER,
  XENSERVER,
  XENSERVER_BYTES,
} from "./appliance.ts";

testWithTools("iscsi-ls lists the target and its LUNs to both initiators", ["iscsi-ls"], async () => {
  using appliance = Appliance.create();
  await using _server = await appliance.serve();
  for (const initiator of [FIRST_INITIATOR, SECOND_INITIATOR]) {
    const listing = await runToolOk("iscsi-ls", ["-s", "-i", initiator, appliance.portalUrl]);
    assertEquals(listing.trim().split("\n").map((line) => line.trim()), [
      `Target:${XENSERVER} Portal:127.0.0.1:${appliance.port},1`,
      "Lun:0    Type:DIRECT_ACCESS (Size:749G)",
      "Lun:1    Type:DIRECT_ACCESS (Size:499M)",
    ]);
  }
});

testWithTools("iscsi-ls and iscsi-inq find a target over IPv6", ["iscsi-ls", "iscsi-inq"], async () => {
  using appliance = Appliance.create("networks = ::1/128\n[xenserver]\nsize = 8MB\ncomment = six");
  await using _server = await appliance.serve();
  const url = `iscsi://[::1]:${appliance.port}`;
  const listing = await runToolOk("iscsi-ls", ["-s", url]);
  assertStringIncludes(listing, `Target:${XENSERVER} Portal:[::1]:${appliance.port},1`);
  assertMatch(await runToolOk("iscsi-inq", [`${url}/${XENSERVER}/0`]), /Vendor:NETMGR/);
});

testWithTools("a stranger sees no target and is refused, and the log names the rule", [
  "iscsi-ls",
  "iscsi-inq",
], async () => {
  using appliance = Appliance.create();
  await using server = await appliance.serve();
  const listing = await runTool("iscsi-ls", ["-s", "-i", STRANGER, appliance.portalUrl]);
  assertEquals(listing.stdout.includes("Target:"), false, listing.stdout);
  const inquiry = await runTool("iscsi-inq", ["-i", STRANGER, appliance.lunUrl(0)]);
  assertNotEquals(inquiry.code, 0);
  await server.waitForLog(STRANGER);
  const refusal = server.stderr.split("\n").find((line) =>
    line.includes(STRANGER) && line.includes("initiators")
  );
  assertNotEquals(refusal, undefined, `No refusal names the rule "initiators":\n${server.stderr}`);
});

/** The expected output of iscsi-inq for each page; the tool takes page numbers in decimal. */
const PAGES: readonly { readonly args: readonly string[]; readonly shows: readonly RegExp[] }[] = [
  { args: [], shows: [/Peripheral Device Type:DIRECT_ACCESS/, /Vendor:\S+/, /Product:\S+/, /CmdQue:1/] },
  {
    args: ["-e", "1", "-c", "0"],
    shows: ["SUPPORTED_VPD_PAGES", "UNIT_SERIAL_NUMBER", "DEVICE_IDENTIFICATION", "BLOCK_LIMITS"].map((
      name,
    ) => RegExp(name)),
  },
  { args: ["-e", "1", "-c", "128"], shows: [/Unit Serial Number:\[\w+\]/] },
  { args: ["-e", "1", "-c", "131"], shows: [/DEVICE DESIGNATOR/, /NAA/] },
  { args: ["-e", "1", "-c", "176"], shows: [/optimal transfer length:\d+/] },
  { args: ["-e", "1", "-c", "177"], shows: [/Medium Rotation Rate/i] },
  { args: ["-e", "1", "-c", "178"], shows: [/Provisioning/i] },
];

testWithTools(
  "iscsi-inq reads every page of both LUNs, and no page of one is the other's",
  ["iscsi-inq"],
  async () => {
    using appliance = Appliance.create();
    await using _server = await appliance.serve();
    for (const { args, shows } of PAGES) {
      const texts: string[] = [];
      for (const lun of [0, 1]) {
        const text = await runToolOk("iscsi-inq", ["-i", FIRST_INITIATOR, ...args, appliance.lunUrl(lun)]);
        for (const pattern of shows) assertMatch(text, pattern);
        texts.push(text);
      }
      const isIdentity = args.includes("128") || args.includes("131");
      if (isIdentity) assertNotEquals(texts[0], texts[1]);
    }
  },
);

testWithTools("iscsi-readcapacity16 shows the size of both LUNs", ["iscsi-readcapacity16"], async () => {
  using appliance = Appliance.create();
  await using _server = await appliance.serve();
  for (const [lun, bytes] of XENSERVER_BYTES.entries()) {
    const args = ["-i", FIRST_INITIATOR, appliance.lunUrl(lun)];
    const text = await runToolOk("iscsi-readcapacity16", args);
    assertStringIncludes(text, `Total size:${bytes}`);
    assertStringIncludes(text, `RETURNED LOGICAL BLOCK ADDRESS:${bytes / 512 - 1}`);
    assertEquals((await runToolOk("iscsi-readcapacity16", ["-s", ...args])).trim(), String(bytes));
  }
});
