import { assertEquals } from "@std/assert";
import {
  filesWithoutRight,
  portalsWithoutRight,
  workerPermissions,
  type WorkerRights,
} from "../../lib/server/worker_permissions.ts";
import type { Portal } from "../../lib/access/portals.ts";
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

Deno.test("filesWithoutRight() names what a worker cannot open as another conf wants it", () => {
  const before = configOf(
    ...["storage=/data", "[in]", "size=1MB", "[out]", "size=1MB", "file=/other/out"],
    ...["[kept]", "size=1MB", "file=/other/kept", "readonly=y"],
  );
  const rights = workerPermissions({ config: before, portals: [], standIns: new Map() });
  assertEquals(filesWithoutRight(rights, before), []);
  const after = configOf(
    ...[
      "storage=/data",
      "[in]",
      "size=1MB",
      "[deep]",
      "size=1MB",
      "file=a/b",
      "[new]",
      "size=1MB",
      "file=/other/new",
    ],
    ...["[out]", "size=1MB", "file=/other/out", "readonly=y", "[kept]", "size=1MB", "file=/other/kept"],
    ...["[beside]", "size=1MB", "file=/other/out.2"],
  );
  assertEquals(filesWithoutRight(rights, after), ["/other/new", "/other/kept", "/other/out.2"]);
});

Deno.test("portalsWithoutRight() names those at which a worker cannot listen", () => {
  const config = configOf("storage=/data", "[a]", "size=1MB");
  const portal = { address: "10.0.0.1", port: 3260 };
  const wildcard = { address: "::", port: 3260 };
  const of = (portals: readonly Portal[]): WorkerRights =>
    workerPermissions({ config, portals, standIns: new Map() });
  const moved = { ...portal, port: 3261 };
  assertEquals(portalsWithoutRight(of([portal]), [portal, wildcard, moved]), [wildcard, moved]);
  assertEquals(portalsWithoutRight(of([wildcard]), [portal, wildcard]), [portal]);
});
