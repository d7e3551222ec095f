/** Copies to a LUN that is served and that no initiator uses. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { delay } from "../../lib/base/delay.ts";
import type { Initiator } from "../support/initiator.ts";
import { inquiry, read10, synchronizeCache10, testUnitReady, write10 } from "../support/initiator_cdb.ts";
import { ScsiStatus } from "../support/initiator_sense.ts";
import { numberFromEnvironment, Random } from "../support/seeded_random.ts";
import { runIscsi } from "../support/server_process.ts";
import { runToolOk } from "../support/tools.ts";
import { untilAsked } from "../support/until.ts";
import { Appliance } from "./appliance.ts";
import { copyArguments, startCommand, temporaries, untilGone } from "./copying.ts";

const MIB = 1024 ** 2;
const DISK_BYTES = 12 * MIB;
const CONF = "[disk]\nsize = 12MB\nnetworks = 127.0.0.0/8\n[spare]\nsize = 16MB\nnetworks = 127.0.0.0/8\n";
const SPARE = { targetName: "iqn.2002-08.info.netmanager:spare" };
/** The first and last block that a copy has from its source, and the first behind it. */
const BLOCKS = [0, DISK_BYTES / 512 - 1, DISK_BYTES / 512];
const KEY = 7;
const REGISTER = Uint8Array.of(0x5f, 0, 0, 0, 0, 0, 0, 0, 24, 0);
const READ_KEYS = Uint8Array.of(0x5e, 0, 0, 0, 0, 0, 0, 0, 16, 0);

/** Makes an appliance whose disk has 1 in all bytes, and whose spare disk has 2. */
async function makeFilled(): Promise<Appliance> {
  const appliance = Appliance.create(CONF);
  assertEquals((await appliance.build()).code, 0);
  Deno.writeFileSync(`${appliance.storage}/disk`, new Uint8Array(DISK_BYTES).fill(1));
  Deno.writeFileSync(`${appliance.storage}/spare`, new Uint8Array(16 * MIB).fill(2));
  return appliance;
}

function startReplacement(appliance: Appliance): Deno.ChildProcess {
  return startCommand(copyArguments(appliance, "--rate", "6MB", "--yes", "disk", "spare"));
}

/** Logs in, and returns the session and the senses until a command is good. */
async function untilReady(initiator: Initiator): Promise<string[]> {
  const senses = new Set<string>();
  await untilAsked(async () => {
    const { status, sense } = await initiator.command({ cdb: testUnitReady() });
    if (sense !== undefined) senses.add(`${sense.key}/${sense.code.toString(16)}`);
    return status === ScsiStatus.good;
  }, "the LUN is ready");
  return [...senses];
}

async function firstBytes(initiator: Initiator): Promise<number[]> {
  const bytes: number[] = [];
  for (const lba of BLOCKS) {
    const { data, status } = await initiator.command({ cdb: read10(lba, 1), read: 512 });
    assertEquals(status, ScsiStatus.good);
    bytes.push(data[0]!);
  }
  return bytes;
}

async function identityOf(initiator: Initiator): Promise<Uint8Array> {
  return (await initiator.command({ cdb: inquiry(255, 0x83), read: 255 })).data;
}

Deno.test("a copy replaces a served LUN: not ready meanwhile, then the same LUN with other content", async () => {
  using appliance = await makeFilled();
  await using server = await appliance.serve();
  let identity: Uint8Array;
  {
    const initiator = await appliance.login(SPARE);
    await untilReady(initiator);
    identity = await identityOf(initiator);
    const list = new Uint8Array(24);
    list[15] = KEY;
    assertEquals((await initiator.command({ cdb: REGISTER, write: list })).status, ScsiStatus.good);
    // The copy must not keep what was written before it.
    await initiator.command({ cdb: write10(0, 1), write: new Uint8Array(512).fill(9) });
    await initiator.logout();
    await initiator.close();
  }
  const command = startReplacement(appliance);
  await server.waitForLog("Replacing the content of LUN 0 of [spare]", 20_000);
  {
    const initiator = await appliance.login(SPARE);
    let refusal = await initiator.command({ cdb: testUnitReady() });
    while (refusal.sense?.key === 6) refusal = await initiator.command({ cdb: testUnitReady() });
    assertEquals([refusal.sense?.key, refusal.sense?.code], [2, 0x0401]);
    const written = await initiator.command({ cdb: write10(0, 1), write: new Uint8Array(512).fill(9) });
    assertEquals([written.sense?.key, written.sense?.code], [2, 0x0401]);
    const { stdout } = await runIscsi(["status", "--conf", appliance.confPath]);
    assertMatch(stdout, /its content is being replaced by a copy/);
    assertEquals((await command.status).code, 0);
    assertEquals(await untilReady(initiator), ["6/2800"]);
    assertEquals(await firstBytes(initiator), [1, 1, 0]);
    assertEquals(await identityOf(initiator), identity);
    const { data } = await initiator.command({ cdb: READ_KEYS, read: 16 });
    assertEquals([data[7], data[15]], [8, KEY]);
    const good = await initiator.command({ cdb: write10(5, 1), write: new Uint8Array(512).fill(3) });
    assertEquals(good.status, ScsiStatus.good);
    await initiator.logout();
    await initiator.close();
  }
  await server.stop();
  const bytes = Deno.readFileSync(`${appliance.storage}/spare`);
  assertEquals([bytes.length, bytes[5 * 512], bytes.lastIndexOf(1)], [16 * MIB, 3, DISK_BYTES - 1]);
  assertEquals(temporaries(appliance.storage), []);
});

Deno.test("a copy to a LUN is refused while an initiator is logged in, which notices nothing", async () => {
  using appliance = await makeFilled();
  await using _server = await appliance.serve();
  const initiator = await appliance.login(SPARE);
  await untilReady(initiator);
  const { code, stderr } = await runIscsi(copyArguments(appliance, "--yes", "disk", "spare"));
  assertEquals(code, 1);
  assertMatch(stderr, /\[spare\] is in use: iqn\.\S+ is logged in; log it out first/);
  assertEquals(await firstBytes(initiator), [2, 2, 2]);
  await initiator.logout();
  await initiator.close();
  // A copy into a file of a LUN is the same as one into the LUN.
  const done = await runIscsi(copyArguments(appliance, "--yes", "disk", `${appliance.storage}/spare`));
  assertEquals([done.code, done.stderr], [0, ""]);
  const reader = await appliance.login(SPARE);
  await untilReady(reader);
  assertEquals(await firstBytes(reader), [1, 1, 0]);
  await reader.close();
});

Deno.test("a replacement that fails or is interrupted leaves the old content, and the LUN is served", async () => {
  using appliance = await makeFilled();
  await using server = await appliance.serve();
  const command = startReplacement(appliance);
  await server.waitForLog("Replacing the content of LUN 0 of [spare]", 20_000);
  const again = await runIscsi(copyArguments(appliance, "--yes", "disk", "spare"));
  assertEquals(again.code, 1);
  assertMatch(again.stderr, /its content is being replaced by a copy/);
  command.kill("SIGINT");
  assertEquals((await command.status).code, 130);
  const initiator = await appliance.login(SPARE);
  await untilReady(initiator);
  assertEquals(await firstBytes(initiator), [2, 2, 2]);
  await initiator.close();
  assertEquals(temporaries(appliance.storage), []);
});

Deno.test("kill -9 of the command, the server or both leaves a LUN with its old content or the new one", async () => {
  const seed = numberFromEnvironment("COPY_SEED", Date.now() >>> 0);
  const random = new Random(seed);
  using appliance = await makeFilled();
  let server = await appliance.serve();
  for (let round = 0; round < numberFromEnvironment("COPY_COUNT", 6); round++) {
    const old = 10 + round;
    await writeFirst(appliance, old);
    const command = startReplacement(appliance);
    await delay(500 + random.below(2500));
    const victims = round % 3;
    if (victims !== 1) kill(command);
    if (victims !== 0) await server.kill();
    await command.status;
    if (victims !== 0) server = await appliance.serve();
    const initiator = await appliance.login(SPARE);
    await untilReady(initiator);
    const content = (await firstBytes(initiator)).join();
    assert(
      [`${old},${old},${old}`, "1,1,0"].includes(content),
      `COPY_SEED=${seed}, round ${round}: ${content}`,
    );
    await initiator.logout();
    await initiator.close();
    await untilGone(() => temporaries(appliance.storage));
    assertEquals(Deno.readFileSync(`${appliance.storage}/disk`).every((byte) => byte === 1), true);
  }
  await server.stop();
});

/** Writes and flushes the blocks that `firstBytes` reads. */
async function writeFirst(appliance: Appliance, value: number): Promise<void> {
  const initiator = await appliance.login(SPARE);
  await untilReady(initiator);
  for (const lba of BLOCKS) {
    const write = new Uint8Array(512).fill(value);
    assertEquals((await initiator.command({ cdb: write10(lba, 1), write })).status, ScsiStatus.good);
  }
  await initiator.command({ cdb: synchronizeCache10() });
  await initiator.logout();
  await initiator.close();
}

function kill(command: Deno.ChildProcess): void {
  try {
    command.kill("SIGKILL");
  } catch {
    // It has ended.
  }
}

Deno.test("iscsi serve warns of a copy of its storage folder, and serves", async () => {
  using appliance = await makeFilled();
  await runToolOk("cp", ["-a", appliance.storage, `${appliance.folder}/copied`]);
  await using server = await appliance.serve();
  await server.waitForLog(`have the identity of those of "${appliance.folder}/copied"`, 20_000);
});
