import { assertEquals } from "@std/assert";
import { workerPermissions } from "../../lib/server/worker_permissions.ts";
import { configOf } from "../provision/conf.ts";

Deno.test("workerPermissions() gives the portals, the storage folder, and files elsewhere as they are needed", () => {
  const config = configOf(
    ...["storage=/data", "[in]", "size=1MB", "[out]", "size=1MB", "file=/other/out"],
    ...["[kept]", "size=1MB", "file=/other/kept", "readonly=y", "[device]", "size=1MB", "file=/dev/sdx"],
  );
  const portals = [{ address: "10.0.0.1", port: 3260 }, { address: "fd00::1", port: 3260 }];
  const standIns = new Map([["/dev/sdx", "/data/.iscsi/devices/8:16"]]);
  assertEquals(workerPermissions({ config, portals, standIns }), {
    net: ["10.0.0.1:3260", "[fd00::1]:3260"],
    read: ["/data", "/other/out", "/other/kept"],
    write: ["/data", "/other/out"],
    env: false,
    ffi: false,
    import: false,
    run: false,
    sys: false,
  });
});

Deno.test("workerPermissions() for the wildcard address take in that of IPv4", () => {
  const config = configOf("storage=/data", "[a]", "size=1MB");
  const { net } = workerPermissions({
    config,
    portals: [{ address: "::", port: 860 }],
    standIns: new Map(),
  });
  assertEquals(net, ["[::]:860", "0.0.0.0:860"]);
});
