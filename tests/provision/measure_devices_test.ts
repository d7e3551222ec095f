import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import { formatIdentities } from "../../lib/provision/identity/identities.ts";
import { measureDevices } from "../../lib/provision/measure_devices.ts";
import { plan } from "../../lib/provision/plan.ts";
import { withHelperOutput } from "../support/helper_output.ts";
import { configOf, identityNumber, NOW, numberedIdentities } from "./conf.ts";
import { blockDevice, disk, MB, place } from "./disk.ts";
import { withScratch } from "./scratch.ts";

const LINES = ["[a]", "size=device 1MB", "file=/dev/vg/a"];

Deno.test("measureDevices() gives a LUN the size of its device, in whole blocks", () => {
  const config = configOf("storage=/none", ...LINES, "blocksize=4096");
  assertEquals(config.targets[0]!.logicalUnits.map(({ followsDevice }) => followsDevice), [true, undefined]);
  withHelperOutput({ stdout: `8:1 ${MB + 512} 0 \n` }, () => {
    const { logicalUnits } = measureDevices(config).targets[0]!;
    assertEquals(logicalUnits.map(({ sizeBytes }) => sizeBytes), [MB, MB]);
  });
});

Deno.test("measureDevices() takes the recorded size of a device that is not there", () =>
  withScratch((folder) => {
    const config = configOf(`storage=${folder}`, ...LINES);
    const sizes = (): number[] =>
      measureDevices(config).targets[0]!.logicalUnits.map(({ sizeBytes }) => sizeBytes);
    withHelperOutput({ stderr: "lsblk: /dev/vg/a: not a block device" }, () => {
      assertEquals(sizes(), [0, MB]);
      Deno.mkdirSync(join(folder, ".iscsi"));
      const record = { ...identityNumber(1), created: NOW, sizeBytes: 3 * MB };
      const text = formatIdentities(new Map([["/dev/vg/a", record]]));
      Deno.writeTextFileSync(join(folder, ".iscsi/identities.json"), text);
      assertEquals(sizes(), [3 * MB, MB]);
    });
    return Promise.resolve();
  }));

Deno.test("plan() records the size of a device that a LUN follows, and refuses a smaller one without force", () => {
  const lines = ["storage=/s", "[a]", "size=device", "file=/dev/vg/a"];
  const planFor = (sizeBytes: number, recordedBytes: number, force = false): ReturnType<typeof plan> => {
    let config = configOf(...lines);
    withHelperOutput({ stdout: `8:1 ${sizeBytes} 0 \n` }, () => void (config = measureDevices(config)));
    const identities = new Map([["/dev/vg/a", {
      ...identityNumber(1),
      created: NOW,
      sizeBytes: recordedBytes,
    }]]);
    const places = [place("/dev/vg/a", blockDevice(sizeBytes), { fileSystem: undefined })];
    const survey = disk(places, { recorded: { kind: "recorded", identities } });
    return plan(config, survey, { makeIdentity: numberedIdentities(), now: NOW, force });
  };
  const kinds = ({ steps }: ReturnType<typeof plan>): string[] => steps.map(({ kind }) => kind);
  assertEquals(kinds(planFor(2 * MB, 2 * MB)), ["useDevice"]);
  assertEquals(kinds(planFor(3 * MB, 2 * MB)), ["useDevice", "confirmFiles"]);
  const { errors } = planFor(MB, 2 * MB);
  assertEquals(errors.map(({ message }) => message), [
    'Block device "/dev/vg/a" has shrunk from 2 MB (2097152 bytes) to 1 MB (1048576 bytes), and a LUN is never ' +
    'shrunk; extend it again, or run "iscsi build --force" to give up what was behind its end',
  ]);
  assertEquals(kinds(planFor(MB, 2 * MB, true)), ["useDevice", "confirmFiles"]);
});

Deno.test("plan() refuses the size of a device for a file", () => {
  const survey = disk([place("/s/a", { kind: "missing" })]);
  const { errors } = plan(configOf("storage=/s", "[a]", "size=device"), survey, {
    makeIdentity: numberedIdentities(),
    now: NOW,
  });
  assertEquals(errors.map(({ message }) => message), [
    'Cannot use "/s/a" with size "device": it is no block device; set "size" to a number with MB, GB or TB, or ' +
    '"file" to a block device',
  ]);
});
