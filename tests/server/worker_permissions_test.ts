import { assertEquals } from "@std/assert";
import type { Portal } from "../../lib/access/portals.ts";
import { parseNetwork } from "../../lib/bytes/network.ts";
import {
  type ListeningScope,
  portalsWithoutRight,
  workerPermissions,
} from "../../lib/server/worker_permissions.ts";

const PLACE = "/data/.iscsi";

function scopeOf(portals: readonly Portal[], ...networks: readonly string[]): ListeningScope {
  return { portals, networks: networks.map((text) => parseNetwork(text)!), port: 3260 };
}

Deno.test("workerPermissions() gives the portals, and the part of the state folder that is the worker's", () => {
  const portals = [{ address: "10.0.0.1", port: 3260 }, { address: "fd00::1", port: 3260 }];
  const write = ["links/read-write", "journals", "reservations", "sanitize"].map((name) =>
    `/data/.iscsi/${name}`
  );
  assertEquals(workerPermissions({ place: PLACE, ...scopeOf(portals) }), {
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
  const { net } = workerPermissions({ place: PLACE, ...scopeOf([{ address: "::", port: 860 }]) });
  assertEquals(net, ["[::]:860", "0.0.0.0:860"]);
});

Deno.test("portalsWithoutRight() names those at which a worker cannot listen", () => {
  const portal = { address: "10.0.0.1", port: 3260 };
  const wildcard = { address: "::", port: 3260 };
  const moved = { ...portal, port: 3261 };
  assertEquals(portalsWithoutRight(scopeOf([portal]), [portal, wildcard, moved]), [wildcard, moved]);
  assertEquals(portalsWithoutRight(scopeOf([wildcard]), [portal, wildcard]), [portal]);
});

Deno.test("workerPermissions() gives IPv4 networks and single addresses, and no IPv6 network", () => {
  const scope = scopeOf(
    [{ address: "10.0.0.1", port: 3260 }],
    "10.0.0.9/24",
    "10.1.0.1",
    "fd00::1",
    "fd01::/64",
  );
  const { net } = workerPermissions({ place: PLACE, ...scope });
  assertEquals(net, ["10.0.0.1:3260", "10.0.0.0/24:3260", "10.1.0.1:3260", "[fd00::1]:3260"]);
});

Deno.test("portalsWithoutRight() leaves out new addresses in a network, at its port only", () => {
  const scope = scopeOf([], "10.0.0.0/24", "10.1.0.1", "fd00::1", "fd01::/64");
  const at = (address: string, port = 3260): Portal => ({ address, port });
  const may = [at("10.0.0.7"), at("10.1.0.1"), at("fd00::1")];
  const mayNot = [at("10.0.1.7"), at("10.0.0.7", 3261), at("10.1.0.2"), at("fd01::1"), at("::")];
  assertEquals(portalsWithoutRight(scope, [...may, ...mayNot]), mayNot);
});
