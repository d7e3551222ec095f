/** The properties of a disk in the conf, as an initiator sees them. */
import { assertEquals } from "@std/assert";
import { readUint32, readUint64 } from "../../lib/bytes/big_endian.ts";
import { inquiry, readCapacity16 } from "../support/initiator_cdb.ts";
import { Appliance } from "./appliance.ts";

const CONF = `
[new]
size = 64MB 32MB
blocksize = 4096
physicalblocksize = 8192
removable = y
vendor = ACME
product = Old Disk 3000
revision = 2.1
serial = SN 0815
networks = 127.0.0.0/8
`;

Deno.test("an initiator sees the kind of disk that the conf describes, on every LUN", async () => {
  using appliance = Appliance.create(CONF);
  await using _server = await appliance.serve();
  const initiator = await appliance.login({ targetName: "iqn.2002-08.info.netmanager:new" });
  const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
  for (const [lun, serial, megabytes] of [[0, "SN 0815", 64], [1, "SN 0815_1", 32]] as const) {
    await initiator.command({ cdb: new Uint8Array(6), lun });
    const standard = await initiator.command({ cdb: inquiry(96), read: 96, lun });
    assertEquals(text(standard.data.subarray(8, 36)), "ACME    Old Disk 3000   2.1 ");
    assertEquals(standard.data[1], 0x80);
    const page = await initiator.command({ cdb: inquiry(255, 0x80), read: 255, lun });
    assertEquals(text(page.data.subarray(4)), serial);
    const { data } = await initiator.command({ cdb: readCapacity16(), read: 32, lun });
    assertEquals([readUint64(data, 0) + 1, readUint32(data, 8)], [megabytes * 256, 4096]);
    assertEquals(data[13]! & 0x0f, 1);
  }
  await initiator.close();
});
