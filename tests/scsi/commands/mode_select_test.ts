import { assert, assertEquals } from "@std/assert";
import type { Nexus } from "../../../lib/scsi/nexus.ts";
import {
  assertFieldRefused,
  assertHex,
  assertParameterRefused,
  blocksCdb,
  bytes,
  cdb,
  FakeTask,
  makeTarget,
  makeUnit,
  openReadyNexus,
  openUnit,
  pattern,
  type Result,
  run,
} from "../fixture.ts";

const SWP = "0a 0a 00 10 08 00 00 00 ff ff 00 00";
const D_SENSE = "0a 0a 04 10 00 00 00 00 ff ff 00 00";
const DEFAULT = "0a 0a 00 10 00 00 00 00 ff ff 00 00";

/** MODE SELECT(6) with PF and a list, given without its header. */
function select6(nexus: Nexus, content: string, header = "00 00 00 00"): Promise<Result> {
  const dataOut = bytes(`${header} ${content}`);
  const block = cdb("15 10");
  block[4] = dataOut.length;
  return run(nexus, block, { dataOut });
}

function select10(nexus: Nexus, content: string, header: string): Promise<Result> {
  const dataOut = bytes(`${header} ${content}`);
  const block = cdb("55 10");
  block[8] = dataOut.length;
  return run(nexus, block, { dataOut });
}

async function controlPage(nexus: Nexus): Promise<Uint8Array> {
  return (await run(nexus, cdb("1a 08 0a 00 ff"))).data.subarray(4);
}

function write(nexus: Nexus): Promise<Result> {
  return run(nexus, blocksCdb("WRITE(10)", {}), { dataOut: pattern(512) });
}

Deno.test("MODE SELECT sets SWP, and nothing is written until it is cleared", async () => {
  const nexus = openUnit();
  assertEquals((await select6(nexus, SWP)).outcome, "good");
  assertHex(await controlPage(nexus), SWP);
  assertEquals((await run(nexus, cdb("1a 08 0a 00 ff"))).data[2], 0x90);
  assertEquals((await write(nexus)).outcome, "logicalUnitSoftwareWriteProtected");
  assertEquals((await run(nexus, blocksCdb("READ(10)", {}))).outcome, "good");
  assertEquals((await select6(nexus, DEFAULT)).outcome, "good");
  assertEquals((await write(nexus)).outcome, "good");
});

Deno.test("MODE SELECT(10) takes short and long block descriptors that change nothing", async () => {
  const nexus = openUnit();
  for (const blocks of ["00 00 08 00", "00 00 00 00", "ff ff ff ff"]) {
    const result = await select10(nexus, `${blocks} 00 00 02 00 ${SWP}`, "00 00 00 00 00 00 00 08");
    assertEquals(result.outcome, "good", blocks);
  }
  const long = "00 00 00 00 00 00 08 00 00 00 00 00 00 00 02 00";
  assertEquals((await select10(nexus, `${long} ${DEFAULT}`, "00 00 00 00 01 00 00 10")).outcome, "good");
  assertHex(await controlPage(nexus), DEFAULT);
});

Deno.test("MODE SELECT refuses block descriptors that would change the blocks", async () => {
  const nexus = openUnit();
  const header = "00 00 00 08";
  assertParameterRefused(await select6(nexus, "00 00 07 ff 00 00 02 00", header), 4);
  assertParameterRefused(await select6(nexus, "00 00 08 00 00 00 10 00", header), 9);
  assertParameterRefused(await select6(nexus, "00 00 08 00 00 00 02 00", "00 00 00 09"), 3);
  const long = "00 00 00 00 00 00 08 00 00 00 00 00 00 00 10 00";
  assertParameterRefused(await select10(nexus, long, "00 00 00 00 01 00 00 10"), 20);
  assertParameterRefused(await select10(nexus, long, "00 00 00 00 00 00 00 10"), 6);
});

Deno.test("MODE SELECT refuses a change of fixed bits, and points at the bit", async () => {
  const nexus = openUnit();
  assertParameterRefused(await select6(nexus, "", "00 01 00 00"), 1);
  assertParameterRefused(await select6(nexus, "0a 0a 00 20 00 00 00 00 ff ff 00 00"), 7, 5);
  assertParameterRefused(await select6(nexus, `08 12 00 ${"00 ".repeat(17)}`), 6, 2);
  assertParameterRefused(await select6(nexus, "0a 0a 40 10 00 00 00 00 ff ff 00 00"), 6, 7);
  assertParameterRefused(await select6(nexus, "0b 06 00 00 00 00 00 00"), 4, 5);
  assertParameterRefused(await select6(nexus, "0a 0b 00 10 08 00 00 00 ff ff 00 00 00"), 5);
  assertHex(await controlPage(nexus), DEFAULT);
});

Deno.test("MODE SELECT takes all pages of a list or none", async () => {
  const nexus = openUnit();
  assertParameterRefused(await select6(nexus, `${SWP} 1c 0a 00 ${"00 ".repeat(9)}`), 18, 3);
  assertHex(await controlPage(nexus), DEFAULT);
});

Deno.test("MODE SELECT refuses a truncated list", async () => {
  const nexus = openUnit();
  const whole = bytes(`00 00 00 08 00 00 08 00 00 00 02 00 ${SWP}`);
  for (let length = 1; length < whole.length; length++) {
    const block = cdb("15 10");
    block[4] = length;
    const { outcome } = await run(nexus, block, { dataOut: whole.subarray(0, length) });
    assertEquals(outcome, length === 12 ? "good" : "parameterListLengthError", `${length}`);
  }
  assertHex(await controlPage(nexus), DEFAULT);
  assertEquals((await run(nexus, cdb("15 10 00 00 00"))).outcome, "good");
});

Deno.test("MODE SELECT ignores PS, which is reserved in it", async () => {
  const nexus = openUnit();
  assertEquals((await select6(nexus, SWP.replace("0a", "8a"))).outcome, "good");
  assertHex(await controlPage(nexus), SWP);
});

Deno.test("MODE SELECT refuses saving, and pages in a vendor-specific format", async () => {
  const nexus = openUnit();
  const dataOut = bytes(`00 00 00 00 ${SWP}`);
  assertFieldRefused(await run(nexus, cdb("15 11 00 00 10"), { dataOut }), 1, 0);
  assertFieldRefused(await run(nexus, cdb("15 00 00 00 10"), { dataOut }), 1, 4);
});

Deno.test("MODE SELECT with RTD resets every page to its defaults, and takes no list", async () => {
  const nexus = openUnit();
  await select6(nexus, SWP);
  assertFieldRefused(await run(nexus, cdb("55 12 00 00 00 00 00 00 10")), 7);
  assertEquals((await run(nexus, cdb("55 12"))).outcome, "good");
  assertHex(await controlPage(nexus), DEFAULT);
});

Deno.test("MODE SELECT notifies the other initiators if it changed anything", async () => {
  const target = makeTarget(makeUnit());
  const [mine, theirs] = [openReadyNexus(target), openReadyNexus(target)];
  const attention = async (nexus: Nexus): Promise<string> => (await run(nexus, cdb("00"))).outcome;
  await select6(mine, DEFAULT);
  assertEquals([await attention(mine), await attention(theirs)], ["good", "good"]);
  await select6(mine, SWP);
  assertEquals([await attention(mine), await attention(theirs)], ["good", "modeParametersChanged"]);
  await run(theirs, cdb("15 12"));
  assertEquals([await attention(mine), await attention(theirs)], ["modeParametersChanged", "good"]);
});

Deno.test("a reset restores the defaults of mode pages", async () => {
  const nexus = openUnit();
  await select6(nexus, SWP);
  nexus.manage("logicalUnitReset", 0);
  await run(nexus, cdb("00"));
  assertHex(await controlPage(nexus), DEFAULT);
  assertEquals((await write(nexus)).outcome, "good");
});

/** Returns the sense data of a refused command, as the initiator receives it. */
async function presented(nexus: Nexus, block: Uint8Array): Promise<Uint8Array> {
  const { sense } = await run(nexus, block);
  assert(sense !== undefined);
  return nexus.present(0, { status: 0x02, sense: Uint8Array.from(sense) }).sense!;
}

Deno.test("D_SENSE selects sense data in descriptor format, with the field pointer", async () => {
  const nexus = openUnit();
  const block = blocksCdb("READ(10)", { lba: 2048 });
  assertEquals((await presented(nexus, block))[0], 0x70);
  await select6(nexus, D_SENSE);
  assertHex(await presented(nexus, block), "72 05 21 00 00 00 00 00");
  assertHex(
    await presented(nexus, cdb("12 02 00 00 ff")),
    "72 05 24 00 00 00 00 08  02 06 00 00 c9 00 01 00",
  );
});

Deno.test("TST 001b protects the tasks of others from CLEAR TASK SET", async () => {
  const target = makeTarget(makeUnit());
  const [mine, theirs] = [openReadyNexus(target), openReadyNexus(target)];
  const [myTask, theirTask] = [new FakeTask(), new FakeTask()];
  await select6(mine, "0a 0a 20 10 00 00 00 00 ff ff 00 00");
  await run(theirs, cdb("00"));
  mine.enter(0, myTask);
  theirs.enter(0, theirTask);
  mine.manage("clearTaskSet", 0);
  assertEquals([myTask.abortCount, theirTask.abortCount], [1, 0]);
  assertEquals((await run(theirs, cdb("00"))).outcome, "good");
});
