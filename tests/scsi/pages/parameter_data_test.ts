import { assertEquals } from "@std/assert";
import { FINISHED_GOOD } from "../../../lib/scsi/outcome/finished.ts";
import { GOOD } from "../../../lib/scsi/outcome/outcome.ts";
import { sendList, sendParameterData } from "../../../lib/scsi/pages/parameter_data.ts";
import { complete } from "../fixture.ts";

const DATA = Uint8Array.from({ length: 10 }, (_, index) => index);

Deno.test("sendParameterData() sends no more than is allocated, in pieces of any size", async () => {
  for (let allocationLength = 0; allocationLength < 12; allocationLength++) {
    for (const pieceBytes of [1, 3, 10, 100]) {
      const result = await complete(sendParameterData(DATA, allocationLength), { pieceBytes });
      assertEquals(result.outcome, "good");
      assertEquals(result.data, DATA.subarray(0, allocationLength));
    }
  }
});

Deno.test("sendParameterData() sends nothing for an allocation length of zero", () => {
  assertEquals(sendParameterData(DATA, 0), FINISHED_GOOD);
});

Deno.test("sendParameterData() also sends to a transport that waits", async () => {
  const operation = sendParameterData(DATA, 5);
  const into = new Uint8Array(2);
  assertEquals(operation.kind === "dataIn" && await operation.read(3, into), GOOD);
  assertEquals([...into], [3, 4]);
});

Deno.test("sendList() sends the beginning of the list, and encodes no item that is not sent", async () => {
  const lengths = [3, 1, 4, 1, 5];
  const whole = Uint8Array.from([
    0xaa,
    0xbb,
    ...lengths.flatMap((length) => Array.from({ length }, () => length)),
  ]);
  for (let allocationLength = 0; allocationLength < whole.length + 3; allocationLength++) {
    let encoded = 0;
    const list = {
      header: Uint8Array.of(0xaa, 0xbb),
      items: lengths,
      itemsLengthBytes: 14,
      encode: (length: number) => {
        encoded++;
        return new Uint8Array(length).fill(length);
      },
    };
    const { outcome, data } = await complete(sendList(list, allocationLength));
    assertEquals([outcome, data], ["good", whole.slice(0, allocationLength)]);
    // The items that begin within the sent data.
    const starts = lengths.map((_, index) =>
      2 + lengths.slice(0, index).reduce((sum, length) => sum + length, 0)
    );
    assertEquals(encoded, starts.filter((start) => start < allocationLength).length);
  }
});
