import { assert, assertEquals } from "@std/assert";
import { readUint16, readUint32 } from "../../../lib/bytes/big_endian.ts";
import { COMMANDS } from "../../../lib/scsi/dispatch/command_table.ts";
import { assertFieldRefused, assertHex, cdb, openUnit, type Result, run } from "../fixture.ts";

const ROWS = Object.values(COMMANDS);

/** REPORT SUPPORTED OPERATION CODES with room for everything. */
function report(options: number, opcode = 0, serviceAction = 0): Promise<Result> {
  const block = cdb("a3 0c 00 00 00 00 00 00 ff ff");
  block[2] = options;
  block[3] = opcode;
  block[4] = serviceAction >> 8;
  block[5] = serviceAction;
  return run(openUnit(), block);
}

Deno.test("REPORT SUPPORTED OPERATION CODES lists every command", async () => {
  const { data } = await report(0);
  assertEquals([readUint32(data, 0), data.length], [ROWS.length * 8, 4 + ROWS.length * 8]);
  for (const [index, { opcode, serviceAction, usage }] of ROWS.entries()) {
    const descriptor = data.subarray(4 + index * 8, 12 + index * 8);
    const flags = serviceAction === undefined ? 0 : 1;
    assertEquals([...descriptor], [opcode, 0, 0, serviceAction ?? 0, 0, flags, 0, usage.length]);
  }
});

Deno.test("REPORT SUPPORTED OPERATION CODES lists commands with timeouts that are not indicated", async () => {
  const { data } = await report(0x80);
  assertEquals([readUint32(data, 0), data.length], [ROWS.length * 20, 4 + ROWS.length * 20]);
  assertHex(data.subarray(4, 24), "00 00 00 00 00 02 00 06 00 0a 00 00 00 00 00 00 00 00 00 00");
});

Deno.test("REPORT SUPPORTED OPERATION CODES shows one command", async () => {
  assertHex((await report(1, 0x28)).data, "00 03 00 0a 28 f8 ff ff ff ff 00 ff ff 04");
  assertHex((await report(2, 0xa3, 0x0d)).data, "00 03 00 0c a3 0d 80 00 00 00 ff ff ff ff 00 04");
  assertHex(
    (await report(0x81, 0x00)).data,
    "00 83 00 06 00 00 00 00 00 04 00 0a 00 00 00 00 00 00 00 00 00 00",
  );
});

Deno.test("REPORT SUPPORTED OPERATION CODES shows each row with the option that fits it", async () => {
  for (const { opcode, serviceAction, usage } of ROWS) {
    const [fitting, other] = serviceAction === undefined ? [1, 2] : [2, 1];
    for (const options of [fitting, 3]) {
      const { data } = await report(options, opcode, serviceAction);
      assertEquals([data[1], readUint16(data, 2)], [3, usage.length]);
      assertEquals([...data.subarray(4)], usage);
    }
    assertFieldRefused(await report(other, opcode, serviceAction), 2, 2);
  }
});

Deno.test("REPORT SUPPORTED OPERATION CODES reports other commands as not supported", async () => {
  for (const options of [1, 2, 3]) assertHex((await report(options, 0xc0)).data, "00 01 00 00");
  for (const options of [2, 3]) assertHex((await report(options, 0xa3, 0x1f)).data, "00 01 00 00");
  assertHex((await report(2, 0xa3, 0x010c)).data, "00 01 00 00");
  // A command without service actions has none but zero, unless the field is ignored (001b).
  assertHex((await report(3, 0x28, 1)).data, "00 01 00 00");
  assertEquals((await report(1, 0x28, 1)).data[1], 3);
  assertHex((await report(0x81, 0xc0)).data, "00 01 00 00");
});

Deno.test("REPORT SUPPORTED OPERATION CODES refuses reserved options, and cuts its data", async () => {
  for (const options of [4, 5, 6, 7]) assertFieldRefused(await report(options), 2, 2);
  const { data } = await run(openUnit(), cdb("a3 0c 00 00 00 00 00 00 00 04"));
  assertEquals(readUint32(data, 0), ROWS.length * 8);
});

Deno.test("REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS reports the functions of a nexus", async () => {
  const nexus = openUnit();
  assertHex((await run(nexus, cdb("a3 0d 00 00 00 00 00 00 00 ff"))).data, "de 03 00 00");
  assertHex(
    (await run(nexus, cdb("a3 0d 80 00 00 00 00 00 00 ff"))).data,
    "de 03 00 0c 00 00 00 00 00 00 00 00 00 00 00 00",
  );
  assertHex((await run(nexus, cdb("a3 0d 80 00 00 00 00 00 00 02"))).data, "de 03");
  assert(nexus.manage("clearAca", 0) === "functionNotSupported", "and CACAS is zero");
});
