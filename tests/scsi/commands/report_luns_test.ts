import { assertEquals } from "@std/assert";
import type { Nexus } from "../../../lib/scsi/nexus.ts";
import {
  assertFieldRefused,
  assertHex,
  cdb,
  complete,
  makeTargetWithLuns,
  makeUnit,
  openUnit,
  type Result,
} from "../fixture.ts";

function reportLuns(nexus: Nexus, selectReport: number, allocationLength = 255, lun = 0): Promise<Result> {
  const block = cdb("a0");
  block[2] = selectReport;
  block[9] = allocationLength;
  return complete(nexus.execute(lun, block));
}

Deno.test("REPORT LUNS lists logical units in ascending order", async () => {
  const unit = makeUnit();
  const nexus = makeTargetWithLuns(new Map([[300, unit], [0, unit], [255, unit], [1, unit]])).openNexus(
    "one",
  );
  assertHex(
    (await reportLuns(nexus, 0x00)).data,
    `
    00 00 00 20 00 00 00 00
    00 00 00 00 00 00 00 00
    00 01 00 00 00 00 00 00
    00 ff 00 00 00 00 00 00
    41 2c 00 00 00 00 00 00
    `,
  );
});

Deno.test("REPORT LUNS lists all or none, by SELECT REPORT, and refuses the reserved values", async () => {
  const nexus = openUnit();
  const lengths = new Map([[0x00, 16], [0x01, 8], [0x02, 16], [0x10, 8], [0x11, 16], [0x12, 8]]);
  for (let selectReport = 0; selectReport < 0x100; selectReport++) {
    const result = await reportLuns(nexus, selectReport);
    const length = lengths.get(selectReport);
    if (length === undefined) assertFieldRefused(result, 2);
    else assertEquals([result.data.length, result.data[3]], [length, length - 8]);
  }
});

Deno.test("REPORT LUNS refuses an allocation length below 16, and cuts its data at any other", async () => {
  const unit = makeUnit();
  const nexus = makeTargetWithLuns(new Map([[0, unit], [1, unit]])).openNexus("one");
  assertFieldRefused(await reportLuns(nexus, 0, 15), 6);
  const result = await reportLuns(nexus, 0, 16);
  assertHex(result.data, "00 00 00 10 00 00 00 00 00 00 00 00 00 00 00 00");
});

Deno.test("REPORT LUNS works at any number, with a unit or without", async () => {
  const nexus = makeTargetWithLuns(new Map([[7, makeUnit()]])).openNexus("one");
  for (const lun of [0, 7, 255]) {
    assertHex((await reportLuns(nexus, 0, 255, lun)).data, "00 00 00 08 00 00 00 00 00 07 00 00 00 00 00 00");
  }
});
