/** Block devices that vanish, return as other devices, and grow, below a running server. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { readUint32 } from "../../../lib/bytes/big_endian.ts";
import { Appliance } from "../../end_to_end/appliance.ts";
import type { Initiator } from "../../support/initiator.ts";
import {
  inquiry,
  read10,
  readCapacity10,
  readCapacity16,
  synchronizeCache10,
  testUnitReady,
  write10,
} from "../../support/initiator_cdb.ts";
import { DEVICE_BYTES, LoopDevice, testWithDevice } from "../../support/loop_device.ts";
import { runToolOk } from "../../support/tools.ts";
import { runIscsi, ServerProcess } from "../../support/server_process.ts";

/** A name in /dev that leads to a device, like those that udev makes. */
class DeviceLink {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  pointTo(device: LoopDevice): void {
    this.remove();
    Deno.symlinkSync(device.path, this.path);
  }

  remove(): void {
    try {
      Deno.removeSync(this.path);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }

  [Symbol.dispose](): void {
    this.remove();
  }
}

/** Returns the additional sense code of a command, and clears what was pending before. */
async function codeOf(initiator: Initiator, cdb: Uint8Array, lun = 0): Promise<number | undefined> {
  return (await initiator.command({ cdb, lun })).sense?.code;
}

/** Tests LUN 0 until no unit attention is pending, and returns those that there were. */
async function attentionsOf(initiator: Initiator): Promise<number[]> {
  const codes: number[] = [];
  for (let count = 0; count < 10; count++) {
    const { sense } = await initiator.command({ cdb: testUnitReady() });
    if (sense?.key !== 6) return codes;
    codes.push(sense.code);
  }
  throw new Error(`Unit attentions without end: ${codes}`);
}

async function readByte(initiator: Initiator, lun: number): Promise<number | string> {
  const { data, sense } = await initiator.command({ cdb: read10(0, 1), read: 512, lun });
  return sense === undefined ? data[0]! : sense.code.toString(16);
}

testWithDevice(
  "a device that vanishes affects only its LUN, and is served again when it returns under another number",
  ["flock"],
  async () => {
    using first = LoopDevice.attach();
    using second = LoopDevice.attach();
    using other = LoopDevice.attach();
    const name = `/dev/iscsi-test-${crypto.randomUUID().slice(0, 8)}`;
    using link = new DeviceLink(name);
    using otherLink = new DeviceLink(`${name}_1`);
    link.pointTo(first);
    otherLink.pointTo(other);
    const conf = ["networks=127.0.0.0/8", "[xenserver]", "size=8MB 8MB", `file=${name}`, ""].join("\n");
    using appliance = Appliance.create(conf);
    await using server = await appliance.serve();
    await using initiator = await appliance.login();
    for (const lun of [0, 1]) await initiator.command({ cdb: testUnitReady(), lun });
    for (const lun of [0, 1]) {
      const write = new Uint8Array(512).fill(7 + lun);
      assertEquals((await initiator.command({ cdb: write10(0, 1), write, lun })).status, 0);
      assertEquals((await initiator.command({ cdb: synchronizeCache10(), lun })).status, 0);
    }
    // The disk fails, and then its name is gone.
    link.remove();
    Deno.truncateSync(first.file, 0);
    const failed = await initiator.command({ cdb: read10(8192, 1), read: 512 });
    assertEquals(failed.sense?.key, 3, "MEDIUM ERROR");
    await server.waitForLog("LUN 0 of [xenserver] is not served: ", 30_000);
    assertStringIncludes(
      server.stderr,
      `Cannot use block device "${name}": it is not a block device, or does not`,
    );
    const { sense } = await initiator.command({ cdb: testUnitReady() });
    assertEquals([sense?.key, sense?.code], [2, 0x0403]);
    assertEquals((await initiator.command({ cdb: inquiry(36), read: 36 })).status, 0);
    assertEquals(await readByte(initiator, 1), 8);
    const status = await runIscsi(["status", "--conf", appliance.confPath]);
    assertStringIncludes(status.stdout, "does not exist");
    // It returns with another number and the same content.
    const page = new Uint8Array(512).fill(7);
    using file = Deno.openSync(second.file, { write: true });
    file.writeSync(page);
    link.pointTo(second);
    await server.waitForLog("LUN 0 of [xenserver] is served now", 30_000);
    assertEquals((await attentionsOf(initiator)).at(-1), 0x2800);
    assertEquals(await readByte(initiator, 0), 7);
    assertEquals(await codeOf(initiator, synchronizeCache10()), undefined);
    // A server ends in order without the device, too, and starts without it.
    link.remove();
    assertEquals((await appliance.build()).code, 1);
    const reloaded = await runIscsi(["reload", "--conf", appliance.confPath]);
    assertEquals(reloaded.code, 0, reloaded.stderr);
    assertEquals(await codeOf(initiator, testUnitReady()), 0x0403);
    assertEquals((await server.stop()).code, 0, server.stderr);
    await using again = await ServerProcess.start(appliance.confPath);
    await again.waitForLog("LUN 0 of [xenserver] is not served: ");
    await using host = await appliance.login();
    await host.command({ cdb: testUnitReady(), lun: 1 });
    assertEquals(await readByte(host, 1), 8);
  },
);

/** A device that is served, and what surrounds it. */
interface ServedDevice {
  readonly link: DeviceLink;
  readonly appliance: Appliance;
  readonly server: ServerProcess;
  readonly initiator: Initiator;
}

/** Serves a device by a name that may lead to another one later, to an initiator that has no unit attention. */
async function withServedDevice(
  device: LoopDevice,
  test: (served: ServedDevice) => Promise<void>,
): Promise<void> {
  using link = new DeviceLink(`/dev/iscsi-test-${crypto.randomUUID().slice(0, 8)}`);
  link.pointTo(device);
  const conf = ["networks=127.0.0.0/8", "[xenserver]", "size=8MB", `file=${link.path}`, ""].join("\n");
  using appliance = Appliance.create(conf);
  await using server = await appliance.serve();
  await using initiator = await appliance.login();
  await attentionsOf(initiator);
  await test({ link, appliance, server, initiator });
  assertEquals((await server.stop()).code, 0, server.stderr);
}

testWithDevice(
  "build serves the device that a name leads to now, after flushing the former one",
  ["flock"],
  async () => {
    using first = LoopDevice.attach();
    using second = LoopDevice.attach();
    await withServedDevice(first, async ({ link, appliance, server, initiator }) => {
      assertEquals(await readByte(initiator, 0), 0);
      const write = new Uint8Array(512).fill(9);
      assertEquals((await initiator.command({ cdb: write10(0, 1), write })).status, 0);
      link.pointTo(second);
      const built = await appliance.build();
      assertEquals(built.code, 0, built.stderr);
      await server.waitForLog("LUN 0 of [xenserver] is served now", 30_000);
      assertEquals((await attentionsOf(initiator)).at(-1), 0x2800);
      assertEquals(await readByte(initiator, 0), 0);
      assertEquals((await initiator.command({ cdb: synchronizeCache10() })).status, 0);
      // The former device has been flushed.
      assertEquals(first.read(0, 1), Uint8Array.of(9));
      assert(!server.stderr.includes("Conf rejected"), server.stderr);
    });
  },
);

/** A file system in memory. */
class MemoryFileSystem {
  readonly folder = Deno.makeTempDirSync({ prefix: "iscsi-small-" });

  static async mount(type: string, ...options: readonly string[]): Promise<MemoryFileSystem> {
    const made = new MemoryFileSystem();
    await runToolOk("mount", ["-t", type, ...options, "none", made.folder]);
    return made;
  }

  [Symbol.dispose](): void {
    new Deno.Command("umount", { args: ["--lazy", this.folder] }).outputSync();
    Deno.removeSync(this.folder);
  }
}

testWithDevice(
  "writes that a device did not get before it was replaced fail the next flush of the initiator, once",
  ["flock"],
  async () => {
    using small = await MemoryFileSystem.mount("tmpfs", "-o", "size=2M");
    using first = LoopDevice.attachIn(small.folder);
    using second = LoopDevice.attach();
    await withServedDevice(first, async ({ link, appliance, server, initiator }) => {
      const write = new Uint8Array(128 * 512).fill(9);
      for (let lba = 0; lba < 4 * 2048; lba += 128) {
        assertEquals((await initiator.command({ cdb: write10(lba, 128), write })).status, 0);
      }
      link.pointTo(second);
      const built = await appliance.build();
      assertEquals(built.code, 0, built.stderr);
      await server.waitForLog("LUN 0 of [xenserver] is served now", 30_000);
      assertStringIncludes(server.stderr, "data that initiators wrote since their last flush may be lost");
      assertEquals((await attentionsOf(initiator)).at(-1), 0x2800);
      assertEquals((await initiator.command({ cdb: synchronizeCache10() })).sense?.code, 0x0c00);
      assertEquals((await initiator.command({ cdb: synchronizeCache10() })).status, 0);
    });
  },
);

testWithDevice(
  "a LUN with size=device grows with its device at the next build, and is never shrunk",
  ["flock"],
  async () => {
    using device = LoopDevice.attach();
    const conf = ["networks=127.0.0.0/8", "[xenserver]", "size=device", `file=${device.path}`, ""].join("\n");
    using appliance = Appliance.create(conf);
    await using server = await appliance.serve();
    await using initiator = await appliance.login();
    await attentionsOf(initiator);
    const blocks = async (): Promise<number> => {
      const { data } = await initiator.command({ cdb: readCapacity10(), read: 8 });
      return readUint32(data, 0) + 1;
    };
    assertEquals(await blocks(), DEVICE_BYTES / 512);
    device.resize(2 * DEVICE_BYTES + 4096);
    const built = await appliance.build();
    assertEquals([built.code, built.stderr], [0, ""]);
    assertStringIncludes(built.stdout, "grow LUN 0 of [xenserver]");
    assertEquals(await attentionsOf(initiator), [0x2a09]);
    assertEquals(await blocks(), 2 * DEVICE_BYTES / 512 + 8);
    const write = new Uint8Array(512).fill(5);
    assertEquals((await initiator.command({ cdb: write10(2 * DEVICE_BYTES / 512, 1), write })).status, 0);
    device.resize(DEVICE_BYTES);
    const refused = await appliance.build();
    assertEquals(refused.code, 1);
    assertMatch(
      refused.stderr,
      /Block device ".*" has shrunk from 32 MB \(33558528 bytes\) to 16 MB \(16777216 bytes\)/,
    );
    // The server keeps what it has, whatever the signal or command.
    const reloaded = await runIscsi(["reload", "--conf", appliance.confPath]);
    assertEquals(reloaded.code, 1);
    assertEquals(await attentionsOf(initiator), []);
    device.resize(2 * DEVICE_BYTES + 4096);
    assertEquals((await appliance.build()).code, 0);
    assertEquals(await readByte(initiator, 0), 0);
    assertEquals((await server.stop()).code, 0, server.stderr);
    // A device that has shrunk meanwhile is not ready, and the server starts.
    device.resize(DEVICE_BYTES);
    await using again = await ServerProcess.start(appliance.confPath);
    await again.waitForLog("LUN 0 of [xenserver] is not served: ");
    assertStringIncludes(again.stderr, "has shrunk");
  },
);

testWithDevice(
  "the pages about provisioning agree with each other, and follow the device",
  ["flock", "fallocate"],
  async () => {
    // Files there can have no holes.
    using simple = await MemoryFileSystem.mount("ramfs");
    using first = LoopDevice.attachIn(simple.folder);
    using second = LoopDevice.attach();
    await withServedDevice(first, async ({ link, appliance, server, initiator }) => {
      /** Returns whether UNMAP is there, by VPD page B2h, by page B0h and by READ CAPACITY(16). */
      const abilities = async (): Promise<boolean[]> => {
        const provisioning = (await initiator.command({ cdb: inquiry(64, 0xb2), read: 64 })).data;
        const limits = (await initiator.command({ cdb: inquiry(64, 0xb0), read: 64 })).data;
        const capacity = (await initiator.command({ cdb: readCapacity16(), read: 32 })).data;
        return [(provisioning[5]! & 0x80) !== 0, readUint32(limits, 20) > 0, (capacity[14]! & 0x80) !== 0];
      };
      assertEquals(await abilities(), [false, false, false]);
      link.pointTo(second);
      assertEquals((await appliance.build()).code, 0);
      await server.waitForLog("LUN 0 of [xenserver] is served now", 30_000);
      // INQUIRY DATA HAS CHANGED.
      assertEquals((await attentionsOf(initiator)).includes(0x3f03), true);
      assertEquals(await abilities(), [true, true, true]);
      // Nothing has changed since.
      assertEquals((await appliance.build()).code, 0);
      assertEquals(await attentionsOf(initiator), []);
    });
  },
);
