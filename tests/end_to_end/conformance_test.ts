/** libiscsi's examination of the commands that this target has. */
import { assertEquals } from "@std/assert";
import { testWithTools } from "../support/tools.ts";
import { Appliance } from "./appliance.ts";
import { listTests, readVerdict, runTest } from "./iscsi_test_cu.ts";

const CONF = `
[disk]
size = 64MB
networks = 127.0.0.0/8
[protected]
size = 64MB
readonly = y
networks = 127.0.0.0/8
`;

/** Families whose tests run on a disk that can be written. */
const FAMILIES = [
  "Inquiry",
  "Mandatory",
  "ModeSense6",
  "MultipathIO",
  "NoMedia",
  "Read10",
  "Read12",
  "Read16",
  "Read6",
  "ReadCapacity10",
  "ReadCapacity16",
  "StartStopUnit",
  "TestUnitReady",
  "Verify10",
  "Verify12",
  "Verify16",
  "Write10",
  "Write12",
  "Write16",
  "iSCSIResiduals",
  "iSCSITMF",
  "iSCSIcmdsn",
  "iSCSIdatasn",
];

/** Families whose tests run on a disk that cannot. */
const PROTECTED_FAMILIES = ["ReadOnly"];

/**
 * Tests that do not pass, and why that is right. A test skipped for lack of a command starts to run when the
 * command is there: then its line here has to go.
 */
const NOT_PASSED: Readonly<Record<string, string>> = {
  "StartStopUnit.Simple": "skipped: Media is not removable.",
  // It asserts `reconnect_succeeded`, a static variable that only the callback of the reset sets, in the statement
  // after the one that queues the reset and before anything is sent: no target can make it true. Then the tool
  // corrupts its own heap. tgt and LIO fail at the same line.
  "iSCSITMF.LUNResetSimpleAsync": "failed: CU_ASSERT_EQUAL(reconnect_succeeded,1)",
};

/** Returns the characteristic part of a failure. */
function firstAssertion(reason: string): string {
  return reason.match(/CU_\w+\([^()]*\)/)?.[0] ?? reason.trim();
}

testWithTools("iscsi-test-cu passes every test of our commands", ["iscsi-test-cu"], async () => {
  using appliance = Appliance.create(CONF);
  await using _server = await appliance.serve();
  const notPassed: Record<string, string> = {};
  const groups = [
    { families: FAMILIES, target: "iqn.2002-08.info.netmanager:disk" },
    { families: PROTECTED_FAMILIES, target: "iqn.2002-08.info.netmanager:protected" },
  ];
  let count = 0;
  for (const { families, target } of groups) {
    for (const name of await listTests(families)) {
      const { kind, reason } = await runTest(name, appliance.lunUrl(0, target));
      if (kind !== "passed") {
        notPassed[name] = `${kind}: ${kind === "failed" ? firstAssertion(reason) : reason}`;
      }
      count++;
    }
  }
  assertEquals(notPassed, NOT_PASSED);
  assertEquals(count > 80, true, `only ${count} tests were found`);
});

/** Returns the result of a run of iscsi-test-cu whose verdict is this text. */
function run(said: string, code = 0): Parameters<typeof readVerdict>[0] {
  const stdout =
    `  [SKIPPED] before\nSuite: Read10\n  Test: Simple ...${said}\n  [SKIPPED] after\nRun Summary:\n`;
  return { code, stdout, stderr: "" };
}

Deno.test("readVerdict() tells passed, failed and skipped apart", () => {
  assertEquals(readVerdict(run("passed")).kind, "passed");
  assertEquals(readVerdict(run("   [FAILED] WRITE10 command failed as it should\npassed")).kind, "passed");
  assertEquals(readVerdict(run("FAILED\n  1. a.c:1  - CU_ASSERT(b)")).kind, "failed");
  assertEquals(readVerdict(run("passed", 134)).kind, "failed");
  assertEquals(readVerdict({ code: 0, stdout: "", stderr: "" }).kind, "failed");
  assertEquals(readVerdict(run("    [SKIPPED] READ10 is not implemented.\npassed")), {
    kind: "skipped",
    reason: "READ10 is not implemented.",
  });
  assertEquals(readVerdict(run("  REPORT_SUPPORTED_OPCODES is not implemented\npassed")).kind, "skipped");
});
