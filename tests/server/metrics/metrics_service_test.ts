/** Metrics through the worker that serves them, with its real rights. */
import { assertEquals, assertMatch } from "@std/assert";
import { MetricsService } from "../../../lib/server/metrics/metrics_service.ts";
import { startWorker } from "../../../lib/server/start_worker.ts";
import { systemClock } from "../../../lib/server/system.ts";
import { listeningPermissions } from "../../../lib/server/worker_permissions.ts";
import { KeptLog } from "../_serving.ts";
import { TestWorkers } from "../supervisor/_supervised.ts";
import { until } from "../../support/until.ts";

/** Returns a free port. */
function freePort(hostname = "127.0.0.1"): number {
  using listener = Deno.listen({ hostname, port: 0 });
  return listener.addr.port;
}

async function get(port: number, host = "127.0.0.1"): Promise<string> {
  const response = await fetch(`http://${host}:${port}/metrics`);
  return `${response.status} ${await response.text()}`;
}

Deno.test("listeningPermissions() gives the right to listen at one address, and no other right", () => {
  const nothing = {
    read: false,
    write: false,
    env: false,
    ffi: false,
    import: false,
    run: false,
    sys: false,
  };
  assertEquals(listeningPermissions([{ address: "127.0.0.1", port: 7 }]), {
    net: ["127.0.0.1:7"],
    ...nothing,
  });
  assertEquals(listeningPermissions([{ address: "::1", port: 7 }]), { net: ["[::1]:7"], ...nothing });
});

Deno.test("MetricsService serves at its address, moves, and ends", async () => {
  const log = new KeptLog();
  let count = 0;
  using service = new MetricsService({
    collect: () => Promise.resolve(`made ${++count}\n`),
    log,
    clock: systemClock,
    startWorker,
  });
  service.apply(undefined);
  const port = freePort();
  service.apply({ address: "127.0.0.1", port });
  await until(() => log.lines.length === 1, "it listens");
  assertEquals(log.lines, [`info: Metrics are served at http://127.0.0.1:${port}/metrics`]);
  assertEquals(await get(port), "200 made 1\n");
  service.apply({ address: "127.0.0.1", port });
  assertEquals(log.lines.length, 1, "nothing has changed");
  const other = freePort();
  service.apply({ address: "127.0.0.1", port: other });
  await until(() => log.lines.length === 2, "it listens elsewhere");
  assertEquals(await get(other), "200 made 2\n");
  service.apply(undefined);
  for (const gone of [port, other]) {
    await until(() => canListen(gone), "it has stopped listening");
  }
});

function canListen(port: number): boolean {
  try {
    Deno.listen({ hostname: "127.0.0.1", port }).close();
    return true;
  } catch {
    return false;
  }
}

Deno.test("MetricsService answers 503 while there are no metrics", async () => {
  const log = new KeptLog();
  using service = new MetricsService({
    collect: () => Promise.reject(new Error("none")),
    log,
    clock: systemClock,
    startWorker,
  });
  const port = freePort();
  service.apply({ address: "127.0.0.1", port });
  await until(() => log.lines.length === 1, "it listens");
  assertMatch(await get(port), /^503 /);
});

Deno.test("MetricsService says why it cannot listen", async () => {
  const log = new KeptLog();
  using other = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  using service = new MetricsService({
    collect: () => Promise.resolve(""),
    log,
    clock: systemClock,
    startWorker,
  });
  const { port } = other.addr;
  service.apply({ address: "127.0.0.1", port });
  await until(() => log.lines.length === 1, "it is logged");
  assertMatch(
    log.lines[0]!,
    new RegExp(`^warning: Cannot serve metrics at 127\\.0\\.0\\.1:${port}: .*in use.*; trying again$`),
  );
});

Deno.test("MetricsService starts its worker again when that sends an invalid message", async () => {
  const log = new KeptLog();
  const workers = new TestWorkers();
  {
    const { start: startWorker } = workers;
    using service = new MetricsService({
      collect: () => Promise.resolve("text"),
      log,
      clock: { ...systemClock, after: (_, callback) => systemClock.after(10, callback) },
      startWorker,
    });
    service.apply({ address: "127.0.0.1", port: freePort() });
    await until(() => log.lines.length === 1, "it listens");
    workers.started[0]!.onmessage!(new MessageEvent("message", { data: { kind: "log", event: "all" } }));
    assertMatch(
      log.lines[1]!,
      /: its worker has sent an invalid message: log.event is not an object; trying again$/,
    );
    await until(() => log.lines.length === 3, "it listens again");
  }
});
