import { assertEquals } from "@std/assert";
import type { Portal } from "../../lib/access/portals.ts";
import {
  portalsWithoutRight,
  workerPermissions,
  type WorkerRights,
} from "../../lib/server/worker_permissions.ts";

const STORAGE = "/data";

Deno.test("workerPermissions() gives the portals, and the part of the state folder that is the worker's", () => {
  const portals = [{ address: "10.0.0.1", port: 3260 }, { address: "fd00::1", port: 3260 }];
  const write = ["links/read-write", "journals", "reservations", "sanitize"].map((name) =>
    `/data/.iscsi/${name}`
  );
  assertEquals(workerPermissions({ storage: STORAGE, portals }), {
    net: ["10.0.0.1:3260", "[fd00::1]:3260"],
    read: ["/data/.iscsi/links/read-only", ...write],
    write,
    env: false,
    ffi: false,
    import: false,
    run: false,
    sys: false,
  });
});

Deno.test("workerPermissions() for the wildcard address take in that of IPv4", () => {
  const { net } = workerPermissions({ storage: STORAGE, portals: [{ address: "::", port: 860 }] });
  assertEquals(net, ["[::]:860", "0.0.0.0:860"]);
});

Deno.test("portalsWithoutRight() names those at which a worker cannot listen", () => {
  const portal = { address: "10.0.0.1", port: 3260 };
  const wildcard = { address: "::", port: 3260 };
  const of = (portals: readonly Portal[]): WorkerRights => workerPermissions({ storage: STORAGE, portals });
  const moved = { ...portal, port: 3261 };
  assertEquals(portalsWithoutRight(of([portal]), [portal, wildcard, moved]), [wildcard, moved]);
  assertEquals(portalsWithoutRight(of([wildcard]), [portal, wildcard]), [portal]);
});
