import { assertEquals } from "@std/assert";
import { COMMANDS } from "../../../lib/scsi/dispatch/command_table.ts";
import { COPY_SERVICE_ACTIONS } from "../../../lib/scsi/copy/third_party_copy_page.ts";
import { TargetDevice } from "../../../lib/scsi/target_device.ts";
import { MemoryStore } from "../../support/memory_store.ts";
import {
  assertFieldRefused,
  assertHex,
  cdb,
  IDENTITY,
  makeUnit,
  openReadyNexus,
  openUnit,
  run,
} from "../fixture.ts";

/** INQUIRY for a page of vital product data. */
function page(code: number): Uint8Array {
  return Uint8Array.of(0x12, 0x01, code, 0xff, 0xff, ...new Uint8Array(11));
}

async function pageOf(code: number, options = {}): Promise<Uint8Array> {
  const result = await run(openUnit(options), page(code));
  assertEquals(result.outcome, "good");
  return result.data;
}

Deno.test("page 00h lists the existing pages, and no other is returned", async () => {
  const nexus = openUnit();
  assertHex((await run(nexus, page(0x00))).data, "00 00 00 0a 00 80 83 86 87 88 8f b0 b1 b2");
  for (let code = 0; code < 0x100; code++) {
    const result = await run(nexus, page(code));
    if ([0x00, 0x80, 0x83, 0x86, 0x87, 0x88, 0x8f, 0xb0, 0xb1, 0xb2].includes(code)) {
      assertEquals([result.outcome, result.data[1]], ["good", code]);
      assertEquals(result.data.length, 4 + (result.data[2]! << 8 | result.data[3]!));
    } else {
      assertFieldRefused(result, 2);
    }
  }
});

Deno.test("page 80h is the serial number", async () => {
  assertHex(await pageOf(0x80), "00 80 00 10 30 31 32 33 34 35 36 37 38 39 41 42 43 44 45 46");
});

Deno.test("page 83h names the unit, the port and the device", async () => {
  assertHex(
    await pageOf(0x83),
    `
    00 83 00 80
    01 03 00 08  31 23 45 67 89 ab cd ef
    02 01 00 18  4e 45 54 4d 47 52 20 20
                 30 31 32 33 34 35 36 37 38 39 41 42 43 44 45 46
    53 98 00 24  69 71 6e 2e 32 30 30 37 2d 30 31 2e 74 6c 64 2e 6e 6f 64 65 3a 64 69 73 6b
                 2c 74 2c 30 78 30 30 30 31 00 00
    51 94 00 04  00 00 00 01
    51 95 00 04  00 00 00 01
    53 a8 00 1c  69 71 6e 2e 32 30 30 37 2d 30 31 2e 74 6c 64 2e 6e 6f 64 65 3a 64 69 73 6b 00 00 00
    `,
  );
});

Deno.test("page 83h holds names and a serial number of maximum length", async () => {
  const unit = makeUnit({ identity: { ...IDENTITY, serialNumber: "S".repeat(64) } });
  const name = "iqn.2007-01.tld.node:".padEnd(223, "x");
  const portName = `${name},t,0x0001`;
  const logicalUnits = new Map([[0, unit]]);
  const target = new TargetDevice({ name, portName, relativePortIdentifier: 0xffff, logicalUnits });
  const { data } = await run(openReadyNexus(target), page(0x83));
  const lengths: number[] = [];
  for (let offset = 4; offset < data.length; offset += 4 + data[offset + 3]!) lengths.push(data[offset + 3]!);
  assertEquals(lengths, [8, 72, 236, 4, 4, 224]);
  assertEquals(data[2]! << 8 | data[3]!, data.length - 4);
});

Deno.test("page 86h reports the task attributes, a volatile cache and RTD", async () => {
  assertHex(await pageOf(0x86), `00 86 00 3c 00 07 01 00 08 ${"00 ".repeat(0x37)}`);
});

Deno.test("page 87h says that all initiators share the mode pages", async () => {
  assertHex(await pageOf(0x87), "00 87 00 04 3f ff 00 00");
});

Deno.test("page 88h names the port", async () => {
  assertHex(
    await pageOf(0x88),
    `
    00 88 00 34
    00 00 00 01  00 00 00 00  00 00 00 28
    53 98 00 24  69 71 6e 2e 32 30 30 37 2d 30 31 2e 74 6c 64 2e 6e 6f 64 65 3a 64 69 73 6b
                 2c 74 2c 30 78 30 30 30 31 00 00
    `,
  );
});

Deno.test("page 8Fh describes EXTENDED COPY", async () => {
  assertHex(
    await pageOf(0x8f),
    `
    00 8f 00 5c
    00 01 00 0c  08 83 01 00 84 03 00 03 04 00 00 00
    00 04 00 1c  00 00 00 00 00 10 01 00 00 00 1e 00 00 00 00 00 ${"00 ".repeat(12)}
    00 08 00 04  02 02 e4 00
    80 01 00 20  00 00 00 08 00 00 00 08 00 00 00 00 09 ${"00 ".repeat(19)}
    `,
  );
});

Deno.test("page 8Fh lists the commands of the command table", () => {
  for (const [opcode, serviceActions] of COPY_SERVICE_ACTIONS) {
    const rows = Object.values(COMMANDS).filter((row) => row.opcode === opcode);
    assertEquals(rows.map(({ serviceAction }) => serviceAction), [...serviceActions]);
  }
});

Deno.test("page B0h reports the limits in blocks of either size", async () => {
  assertHex(
    await pageOf(0xb0),
    `
    00 b0 00 3c 00 80 00 08 00 00 80 00 00 00 08 00
    00 00 80 00 00 00 00 00 00 00 00 00 00 00 00 00
    00 00 00 00 00 00 00 00 00 00 80 00 00 00 01 00
    00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
    `,
  );
  const large = await pageOf(0xb0, { blockSizeBytes: 4096 });
  assertHex(large.subarray(4, 16), "00 10 00 01 00 00 10 00 00 00 01 00");
});

Deno.test("page B1h reports a non-rotating medium, and that sanitized blocks can be read", async () => {
  assertHex(
    await pageOf(0xb1),
    `
    00 b1 00 3c 00 01 00 40 00 00 00 00 00 00 00 00
    00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
    00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
    00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
    `,
  );
});

Deno.test("page B2h is all zero for a store that cannot unmap, of any size", async () => {
  assertHex(await pageOf(0xb2), "00 b2 00 04 00 00 00 00");
  assertHex(
    await pageOf(0xb2, { store: new MemoryStore({ sizeBytes: 2 ** 44 }) }),
    "00 b2 00 04 00 00 00 00",
  );
});

Deno.test("pages are truncated at the allocation length", async () => {
  const nexus = openUnit();
  assertHex((await run(nexus, cdb("12 01 83 00 06"))).data, "00 83 00 80 01 03");
});
