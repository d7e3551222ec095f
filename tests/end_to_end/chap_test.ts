/** CHAP and redirection with foreign initiators: libiscsi, which knows only MD5, and QEMU. */
import { assert, assertEquals, assertNotEquals, assertStringIncludes } from "@std/assert";
import { runIscsi } from "../support/server_process.ts";
import { runTool, testWithTools, type ToolResult } from "../support/tools.ts";
import { Appliance, FIRST_INITIATOR } from "./appliance.ts";

const NODE = "iqn.2002-08.info.netmanager";

/** Every secret of these confs: the program must print none of them. */
const SECRETS = ["bobs-secret-12", "alices-secret", "carls-secret-12", "targets-secret", "616c6963"];
const [BOB, ALICE, CARL, TARGET] = SECRETS as [string, string, string, string, string];

function confOf(appliance: Appliance, extra = ""): string {
  const secrets = `${appliance.folder}/secrets`;
  Deno.writeTextFileSync(
    secrets,
    `# Hosts\nalice ${ALICE} ${FIRST_INITIATOR.toUpperCase()}\ncarl ${CARL}\n`,
    { mode: 0o600 },
  );
  return `
networks = 127.0.0.0/8
user = bob
secret = ${BOB}
mutual_user = box
mutual_secret = ${TARGET}
${extra}

[disk]
size = 4MB

[hosts]
size = 4MB
secrets = ${secrets}

[open]
size = 4MB
user = none
`;
}

/** Returns an appliance that requires CHAP. */
function makeAppliance(extra = ""): Appliance {
  const appliance = Appliance.create("");
  appliance.writeConf(confOf(appliance, extra));
  Deno.chmodSync(appliance.confPath, 0o600);
  return appliance;
}

/** Returns the URL of a target, with the initiator's credentials as `user%secret@`. */
function urlOf({ port }: Appliance, who: string, target?: string): string {
  const portal = `iscsi://${who === "" ? "" : `${who}@`}127.0.0.1:${port}`;
  return target === undefined ? portal : `${portal}/${NODE}:${target}/0`;
}

function inquire(appliance: Appliance, who: string, target: string, env = {}): Promise<ToolResult> {
  return runTool("iscsi-inq", ["-i", FIRST_INITIATOR, urlOf(appliance, who, target)], { env });
}

const MUTUAL = { LIBISCSI_CHAP_TARGET_USERNAME: "box", LIBISCSI_CHAP_TARGET_PASSWORD: TARGET };

testWithTools(
  "iscsi-ls lists the targets to who has the global secret, and to nobody else",
  ["iscsi-ls"],
  async () => {
    using appliance = makeAppliance();
    await using server = await appliance.serve();
    const list = (who: string): Promise<ToolResult> => runTool("iscsi-ls", [urlOf(appliance, who)]);
    const { code, stdout } = await list(`bob%${BOB}`);
    const names = [...stdout.matchAll(/^Target:(\S+)/gm)].map(([, name]) => name).toSorted();
    assertEquals([code, names], [0, ["disk", "hosts", "open"].map((name) => `${NODE}:${name}`)]);
    for (const who of ["", `bob%${ALICE}`, `alice%${ALICE}`]) {
      const refused = await list(who);
      assertNotEquals(refused.code, 0);
      assertStringIncludes(refused.stdout + refused.stderr, "Authentication failure(513)");
    }
    for (const secret of SECRETS) assertEquals(server.stderr.includes(secret), false);
  },
);

testWithTools(
  "iscsi-inq logs in with the right name and secret, one-way and mutually",
  ["iscsi-inq"],
  async () => {
    using appliance = makeAppliance();
    await using server = await appliance.serve();
    const environment = { LIBISCSI_CHAP_USERNAME: "carl", LIBISCSI_CHAP_PASSWORD: CARL };
    const rows = [
      [`bob%${BOB}`, "disk", {}],
      [`bob%${BOB}`, "disk", MUTUAL],
      [`alice%${ALICE}`, "hosts", {}],
      [`carl%${CARL}`, "hosts", MUTUAL],
      ["", "hosts", environment],
      ["", "open", {}],
    ] as const;
    for (const [who, target, env] of rows) {
      const { code, stdout, stderr } = await inquire(appliance, who, target, env);
      assertEquals(code, 0, `${who} at ${target}: ${stdout}${stderr}`);
    }
    await server.waitForLog('session begins, CHAP name "carl"');
  },
);

testWithTools("iscsi-inq is refused with a wrong name or secret, or none, and refuses a wrong target", [
  "iscsi-inq",
], async () => {
  using appliance = makeAppliance();
  await using server = await appliance.serve();
  const rows = [
    [`bob%${ALICE}`, "disk", {}],
    [`nobody%${BOB}`, "disk", {}],
    ["", "disk", {}],
    [`bob%${BOB}`, "hosts", {}],
    [`alice%${ALICE}`, "nowhere", {}],
  ] as const;
  for (const [who, target, env] of rows) {
    const { code, stdout, stderr } = await inquire(appliance, who, target, env);
    assertNotEquals(code, 0);
    assertStringIncludes(stdout + stderr, "Authentication failure(513)", `${who} at ${target}`);
  }
  const wrong = { ...MUTUAL, LIBISCSI_CHAP_TARGET_PASSWORD: CARL };
  const { code, stdout, stderr } = await inquire(appliance, `bob%${BOB}`, "disk", wrong);
  assertNotEquals(code, 0);
  assertStringIncludes(stdout + stderr, "Invalid CHAP_R");
  for (
    const reason of [
      'the secret for CHAP name "bob" is wrong',
      '"nobody" is unknown',
      "but CHAP is required",
    ]
  ) {
    await server.waitForLog(reason);
  }
  for (const secret of SECRETS) assertEquals(server.stderr.includes(secret), false);
});

testWithTools(
  "iscsi-inq is refused with a name that is bound to another initiator",
  ["iscsi-inq"],
  async () => {
    using appliance = makeAppliance();
    await using server = await appliance.serve();
    const inquire = (initiatorName: string, who: string): Promise<ToolResult> =>
      runTool("iscsi-inq", ["-i", initiatorName, urlOf(appliance, who, "hosts")]);
    const stranger = "iqn.2000-01.com.example:stranger";
    const rows = [[FIRST_INITIATOR, `alice%${ALICE}`, true], [stranger, `alice%${ALICE}`, false], [
      stranger,
      `carl%${CARL}`,
      true,
    ]] as const;
    for (const [initiatorName, who, isGood] of rows) {
      const { code, stdout, stderr } = await inquire(initiatorName, who);
      assertEquals(code === 0, isGood, `${initiatorName}: ${stdout}${stderr}`);
      if (!isGood) assertStringIncludes(stdout + stderr, "Authentication failure(513)");
    }
    await server.waitForLog(
      'CHAP name "alice" is bound to other initiators, although the secret is right',
    );
    for (const secret of SECRETS) assertEquals(server.stderr.includes(secret), false);
  },
);

testWithTools("MD5 is refused where the conf asks for more", ["iscsi-inq"], async () => {
  using appliance = makeAppliance("chap_minimum = sha256");
  await using server = await appliance.serve();
  const { code } = await inquire(appliance, `bob%${BOB}`, "disk");
  assertNotEquals(code, 0);
  await server.waitForLog('CHAP_A="5", but no algorithm as strong as sha256');
});

testWithTools("qemu-img copies with CHAP, one-way and mutual, and not with a wrong secret", [
  "qemu-img",
  "block-iscsi.so",
], async () => {
  using appliance = makeAppliance();
  await using _server = await appliance.serve();
  const info = (secret: string, env = {}): Promise<ToolResult> =>
    runTool("qemu-img", ["info", urlOf(appliance, `bob%${secret}`, "disk")], { env });
  for (const env of [{}, MUTUAL]) {
    const { code, stdout, stderr } = await info(BOB, env);
    assertEquals(code, 0, stderr);
    assertStringIncludes(stdout, "4194304 bytes");
  }
  const image = `${appliance.folder}/image`;
  Deno.writeFileSync(image, new Uint8Array(4 * 1024 * 1024).fill(0x5a));
  const url = urlOf(appliance, `bob%${BOB}`, "disk");
  const args = ["convert", "-n", "-f", "raw", "-O", "raw", image, url];
  assertEquals((await runTool("qemu-img", args)).code, 0);
  assert(Deno.readFileSync(`${appliance.storage}/disk`).every((byte) => byte === 0x5a));
  assertNotEquals((await info(ALICE)).code, 0);
});

testWithTools("qemu-img and iscsi-inq follow a redirection to another server, unless it is for good", [
  "iscsi-inq",
  "qemu-img",
  "block-iscsi.so",
], async () => {
  using there = makeAppliance();
  await using _there = await there.serve();
  using here = Appliance.create("");
  const elsewhere = `127.0.0.1:${there.port}`;
  here.writeConf(`networks = 127.0.0.0/8
[disk]
size = 4MB
redirect = ${elsewhere}

[hosts]
size = 4MB
redirect = permanently ${elsewhere}
`);
  await using server = await here.serve();
  const who = `bob%${BOB}`;
  const { code, stdout, stderr } = await inquire(here, who, "disk");
  assertEquals(code, 0, stdout + stderr);
  const info = await runTool("qemu-img", ["info", urlOf(here, who, "disk")]);
  assertEquals(info.code, 0, info.stderr);
  assertStringIncludes(info.stdout, "4194304 bytes");
  await server.waitForLog(`redirected: [disk] is temporarily at ${elsewhere}`);
  // libiscsi follows only temporary redirections, and names the status of any other.
  const moved = await inquire(here, `alice%${ALICE}`, "hosts");
  assertNotEquals(moved.code, 0);
  assertStringIncludes(moved.stdout + moved.stderr, "Target moved permanently(258)");
  await server.waitForLog(`redirected: [hosts] is permanently at ${elsewhere}`);
  // No initiator has logged in here.
  assertEquals(server.stderr.includes("session begins"), false);
});

Deno.test("no command prints a secret, whatever is wrong with the conf", async () => {
  using appliance = makeAppliance();
  const outputs: string[] = [];
  const run = async (...args: readonly string[]): Promise<ToolResult> => {
    const result = await runIscsi([...args, "--conf", appliance.confPath]);
    outputs.push(result.stdout, result.stderr);
    return result;
  };
  for (
    const args of [["check"], ["check", "--json"], ["build", "--dry-run"], ["build"], ["build", "--json"]]
  ) {
    assertEquals((await run(...args)).code, 0, outputs.join("\n"));
  }
  const good = Deno.readTextFileSync(appliance.confPath);
  const spoilt = [
    good.replace("secret = ", "secret "),
    good.replace("secret = ", "secert = "),
    good.replace("user = bob\nsecret = ", "user = bob secret = "),
    good.replace("secret = ", "secret =\n"),
    good.replace(BOB, `${BOB} ; remark`),
    good.replace(TARGET, BOB),
    good.replace("[disk]", `[disk] secret=${BOB}`),
    good.replace("size = 4MB", `size = 4MB mutual_secret=${BOB}`),
  ];
  for (const conf of spoilt) {
    Deno.writeTextFileSync(appliance.confPath, conf);
    for (const args of [["check"], ["check", "--json"], ["build"], ["serve"]]) {
      assertEquals((await run(...args)).code, 3, conf);
    }
  }
  Deno.writeTextFileSync(appliance.confPath, good);
  Deno.chmodSync(`${appliance.folder}/secrets`, 0o644);
  assertEquals((await run("check")).code, 3);
  assertStringIncludes(outputs.at(-1)!, `run "chmod 600 ${appliance.folder}/secrets"`);
  Deno.chmodSync(`${appliance.folder}/secrets`, 0o600);
  Deno.chmodSync(appliance.confPath, 0o644);
  assertEquals((await run("check")).code, 0);
  assertStringIncludes(outputs.at(-1)!, 'run "chmod 600" on it');
  for (const secret of SECRETS) {
    assertEquals(outputs.filter((output) => output.includes(secret)), [], secret);
  }
});
