import { assertEquals, assertThrows } from "@std/assert";
import { ProvisionError } from "../../../lib/provision/provision_error.ts";
import {
  type DiscardingDevice,
  findDiscardingDevice,
} from "../../../lib/server/storage/discarding_device.ts";
import { withHelperOutput } from "../../support/helper_output.ts";

/** Returns the device that this line of `lsblk` describes, and the arguments of `mknod`. */
function find(line: string, stderr = ""): { device: DiscardingDevice | undefined; made: string[] } {
  let [device, made]: [DiscardingDevice | undefined, string[]] = [undefined, []];
  withHelperOutput({ stdout: line }, () => {
    device = findDiscardingDevice("/dev/disk", {
      linkTo: () => "/run/1",
      runNow: (program, args) => {
        made = [program, ...args];
        return { success: stderr === "", stdout: "", stderr };
      },
    });
  });
  return { device, made };
}

Deno.test("findDiscardingDevice() makes a node of a device that can discard", () => {
  const { device, made } = find("8:17 4096 0  part  sdb1 4294966784 4096\n");
  const identity = { device: -(8 * 2 ** 20 + 17) - 1, inode: null, sizeBytes: 4096 };
  assertEquals(device, { identity, node: "/run/1", isThinVolume: false });
  assertEquals(made, ["mknod", "-m", "600", "/run/1", "b", "8", "17"]);
});

Deno.test("findDiscardingDevice() takes a volume with large granules for a thin one", () => {
  assertEquals(find("253:2 4096 0  lvm  vg-thin 137438953472 65536\n").device?.isThinVolume, true);
  assertEquals(find("253:2 4096 0  lvm  vg-linear 137438953472 4096\n").device?.isThinVolume, false);
  assertEquals(find("252:0 4096 0  disk  rbd0 4194304 65536\n").device?.isThinVolume, false);
});

Deno.test("findDiscardingDevice() returns none for a device that cannot discard, and for other paths", () => {
  for (const line of ["8:17 4096 0  disk  sdb 0 0\n", "8:17 4096 0  disk  sdb\n", ""]) {
    assertEquals(find(line), { device: undefined, made: [] });
  }
});

Deno.test("findDiscardingDevice() throws when no node can be made", () => {
  assertThrows(
    () => find("8:17 4096 0  disk  sdb 512 512\n", "not permitted"),
    ProvisionError,
    "not permitted",
  );
});
