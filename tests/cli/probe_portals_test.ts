/** Probes of real sockets on loopback. */
import { assertEquals } from "@std/assert";
import { formatPortal } from "../../lib/bytes/network.ts";
import { formatProbe, probePortals } from "../../lib/cli/probe_portals.ts";
import type { WorkerStatus } from "../../lib/control/server_status.ts";
import { ENDS, Harness } from "../support/harness.ts";

const RUNNING: WorkerStatus = { port: 3260, state: "running", seconds: null, reason: null, faults: [] };

/** So long that a test which waits for it fails. */
const LONG_MS = 600_000;
const SHORT_MS = 50;

/** A listener that serves each connection in its own way. */
class Portal {
  readonly #listener: Deno.TcpListener;
  readonly #served: Promise<void>;

  constructor(serve: (connection: Deno.TcpConn) => Promise<void>, hostname = "127.0.0.1") {
    this.#listener = Deno.listen({ hostname, port: 0 });
    this.#served = this.#accept(serve);
  }

  get port(): number {
    return this.#listener.addr.port;
  }

  get name(): string {
    return formatPortal("127.0.0.1", this.port);
  }

  async #accept(serve: (connection: Deno.TcpConn) => Promise<void>): Promise<void> {
    for await (const connection of this.#listener) await serve(connection);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    await this.#served;
  }
}

/** A portal that reads what it gets, and answers with these bytes. */
function portalAnswering(answer: Uint8Array): Portal {
  return new Portal(async (connection) => {
    await connection.read(new Uint8Array(1024));
    if (answer.length > 0) await connection.write(answer);
    connection.close();
  });
}

/** A portal that holds connections until the peer leaves. */
function silentPortal(): Portal {
  return new Portal(async (connection) => {
    while (await connection.read(new Uint8Array(1024)) !== null);
    connection.close();
  });
}

/** Returns a portal at which nothing listens. */
function deadPortal(): string {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return formatPortal("127.0.0.1", listener.addr.port);
}

Deno.test("probePortals() is answered by a target that admits nobody, and leaves no trace", async () => {
  const harness = new Harness({ targets: [{ initiators: ["iqn.2011-07.com.example:other"] }] });
  const serve = (connection: Deno.TcpConn): Promise<void> => harness.node.serve(connection, ENDS);
  await using plain = new Portal(serve);
  await using wildcard = new Portal(serve, "0.0.0.0");
  const portals = [plain.name, formatPortal("0.0.0.0", wildcard.port), formatPortal("::", wildcard.port)];
  const report = await probePortals({ portals, workers: [RUNNING], ready: true }, LONG_MS);
  assertEquals(report, {
    answers: true,
    portals: portals.map((portal) => ({ portal, answers: true, problem: null })),
    problems: [],
  });
  assertEquals(harness.events, []);
  const { recent } = harness.node.snapshot().refusals;
  assertEquals([recent, harness.node.snapshot().initiators], [[], []]);
});

Deno.test("probePortals() fails for a portal that is dead, closes, or answers something else", async () => {
  await using closing = portalAnswering(new Uint8Array());
  await using other = portalAnswering(new TextEncoder().encode("HTTP/1.1 400 Bad Request\r\n".repeat(2)));
  const portals = [deadPortal(), closing.name, other.name];
  const report = await probePortals({ portals, workers: [RUNNING], ready: true }, LONG_MS);
  assertEquals([report.answers, report.portals.map(({ answers }) => answers)], [false, [
    false,
    false,
    false,
  ]]);
  assertEquals(report.portals.map(formatProbe), [
    `${portals[0]}: Connection refused (os error 111)`,
    `${portals[1]}: the connection was closed without an answer`,
    `${portals[2]}: the answer is no Login Response`,
  ]);
});

Deno.test("probePortals() fails for a portal that accepts and does not answer", async () => {
  await using silent = silentPortal();
  const report = await probePortals({ portals: [silent.name], workers: [RUNNING], ready: true }, SHORT_MS);
  assertEquals([report.answers, report.portals.map(formatProbe)], [false, [
    `${silent.name}: connected, and no answer within 0.05 s`,
  ]]);
});

Deno.test("probePortals() reaches a wildcard of IPv6 that does not include IPv4", async () => {
  const harness = new Harness({ targets: [{}] });
  await using wildcard = new Portal((connection) => harness.node.serve(connection, ENDS), "::1");
  const portals = [formatPortal("::", wildcard.port)];
  const report = await probePortals({ portals, workers: [RUNNING], ready: true }, LONG_MS);
  assertEquals(report.portals.map(formatProbe), [`${portals[0]}: answers`]);
});

const name = "probePortals() calls a portal blocked that takes no connection, and gives the attempt up";
// The sanitizer finds an attempt that goes on.
Deno.test({ name, sanitizeOps: true, sanitizeResources: true }, async () => {
  // The kernel drops the packets of further connections to a full queue.
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0, tcpBacklog: 1 });
  const { port } = listener.addr;
  const portal = formatPortal("127.0.0.1", port);
  const waiting = [await Deno.connect({ port }), await Deno.connect({ port })];
  const report = await probePortals({ portals: [portal], workers: [RUNNING], ready: true }, SHORT_MS);
  for (const connection of waiting) connection.close();
  assertEquals([report.answers, report.portals.map(formatProbe)], [true, [
    `${portal}: blocked: no connection, as behind a firewall`,
  ]]);
});

Deno.test("probePortals() fails for a server that is not ready, and for workers that do not serve all", async () => {
  const status = { portals: [], workers: [RUNNING], ready: true };
  const problemsOf = async (change: Partial<typeof status>): Promise<readonly string[]> => {
    const report = await probePortals({ ...status, ...change });
    assertEquals(report.answers, false);
    return report.problems;
  };
  const deaf = "the server listens at no portal";
  const fault = "Cannot listen at 10.0.0.1:3260: Address already in use";
  const hanging = { ...RUNNING, state: "hanging", seconds: 4, reason: "a disk blocks it" } as const;
  assertEquals(await problemsOf({}), [deaf]);
  assertEquals(await problemsOf({ ready: false }), ["the server is not ready", deaf]);
  assertEquals(await problemsOf({ workers: [{ ...RUNNING, faults: [fault] }] }), [fault, deaf]);
  assertEquals(await problemsOf({ workers: [hanging] }), [
    "the worker of port 3260 is hanging: a disk blocks it",
    deaf,
  ]);
});
