/** Digests with initiators that no one here wrote (libiscsi has those of headers only), and over a real network. */
import { assertEquals, assertMatch } from "@std/assert";
import { read10, testUnitReady, write10 } from "../support/initiator_cdb.ts";
import { DIGEST_USES, digestKeys } from "../support/initiator_digest.ts";
import { runToolOk, testWithTools, type Tool } from "../support/tools.ts";
import { Appliance, FIRST_INITIATOR, XENSERVER } from "./appliance.ts";

const QEMU: readonly Tool[] = ["qemu-img", "block-iscsi.so"];
const IMAGE_BYTES = 8 * 1024 ** 2;

/** A conf with one LUN of the image's size. */
const CONF = `
  [xenserver]
  size = 8MB
  networks = 127.0.0.0/8
`;

function randomBytes(lengthBytes: number): Uint8Array {
  const bytes = new Uint8Array(lengthBytes);
  for (let start = 0; start < lengthBytes; start += 65_536) {
    crypto.getRandomValues(bytes.subarray(start, start + 65_536));
  }
  return bytes;
}

testWithTools("iscsi-inq works with a header digest", ["iscsi-inq"], async () => {
  using appliance = Appliance.create(CONF);
  await using _server = await appliance.serve();
  const args = ["-i", FIRST_INITIATOR, `${appliance.lunUrl(0)}?header_digest=crc32c`];
  assertMatch(await runToolOk("iscsi-inq", args), /Peripheral Device Type:DIRECT_ACCESS/);
});

testWithTools("iscsi-perf reads with a header digest", ["iscsi-perf"], async () => {
  using appliance = Appliance.create(CONF);
  await using _server = await appliance.serve();
  const url = `${appliance.lunUrl(0)}?header_digest=crc32c`;
  const output = await runToolOk("iscsi-perf", [
    "-t",
    "1",
    "-m",
    "32",
    "-b",
    "8",
    "-r",
    "-i",
    FIRST_INITIATOR,
    url,
  ]);
  assertMatch(output, /iops average [1-9]/);
});

testWithTools("an image comes back as it was with a header digest", QEMU, async () => {
  using appliance = Appliance.create(CONF);
  await using _server = await appliance.serve();
  const [image, copy] = [`${appliance.folder}/image`, `${appliance.folder}/copy`];
  Deno.writeFileSync(image, randomBytes(IMAGE_BYTES));
  const disk = [
    "driver=raw",
    "file.driver=iscsi",
    "file.transport=tcp",
    `file.portal=127.0.0.1:${appliance.port}`,
    `file.target=${XENSERVER}`,
    "file.lun=0",
    `file.initiator-name=${FIRST_INITIATOR}`,
    "file.header-digest=crc32c",
  ].join(",");
  await runToolOk("qemu-img", ["convert", "-n", "-f", "raw", "--target-image-opts", image, disk]);
  await runToolOk("qemu-img", ["convert", "-O", "raw", "--image-opts", disk, copy]);
  await runToolOk("cmp", [image, copy]);
});

for (const use of DIGEST_USES.filter(({ data }) => data)) {
  const name = use.header ? "both digests" : "a data digest";
  Deno.test(`what is written over TCP with ${name} comes back as it was`, async () => {
    using appliance = Appliance.create(CONF);
    await using _server = await appliance.serve();
    await using initiator = await appliance.login({ keys: digestKeys(use) });
    assertEquals(initiator.connection.digests, use);
    await initiator.command({ cdb: testUnitReady() });
    const written = randomBytes(IMAGE_BYTES);
    const blocks = IMAGE_BYTES / 512;
    assertEquals((await initiator.command({ cdb: write10(0, blocks), write: written })).status, 0);
    const { data } = await initiator.command({ cdb: read10(0, blocks), read: IMAGE_BYTES });
    assertEquals(data.findIndex((byte, index) => byte !== written[index]), -1);
  });
}
