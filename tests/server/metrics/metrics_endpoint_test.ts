import { assertEquals, assertStringIncludes } from "@std/assert";
import { MetricsEndpoint } from "../../../lib/server/metrics/metrics_endpoint.ts";
import { MetricsLimits } from "../../../lib/server/metrics/metrics_limits.ts";
import { withTimeLimit } from "../../support/initiator_connection.ts";
import { listeningAmongFaults, RESETS } from "../_resets.ts";
import { KeptLog } from "../_serving.ts";

/** A document that says how often it was made. */
function countedDocument(): () => Promise<string> {
  let count = 0;
  return () => Promise.resolve(`made ${++count}\n`);
}

async function withEndpoint(
  test: (port: number, endpoint: MetricsEndpoint) => Promise<void>,
  collect: () => Promise<string> = countedDocument(),
  { faults = [], log = new KeptLog() }: { faults?: readonly Error[]; log?: KeptLog } = {},
): Promise<void> {
  const endpoint = listeningAmongFaults(
    faults,
    () => new MetricsEndpoint({ address: "127.0.0.1", port: 0 }, { collect, log }),
  );
  try {
    await withTimeLimit(test(endpoint.port, endpoint), 30_000, "ask for metrics");
  } finally {
    endpoint.close();
  }
}

/** Sends something and reads what comes back, to the end. */
async function exchange(port: number, ...pieces: readonly string[]): Promise<string> {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port });
  for (const piece of pieces) await connection.write(new TextEncoder().encode(piece));
  return await new Response(connection.readable).text();
}

function statusOf(response: string): string {
  return response.slice(0, response.indexOf("\r\n"));
}

Deno.test("MetricsEndpoint gives its document to who asks for it", () =>
  withEndpoint(async (port) => {
    const response = await exchange(port, "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n");
    assertEquals(
      response,
      "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n" +
        "Content-Length: 7\r\nConnection: close\r\n\r\nmade 1\n",
    );
    const head = await exchange(port, "HEAD / HTTP/1.1\r\n\r\n");
    assertEquals(head, response.slice(0, response.indexOf("made")));
  }));

Deno.test("MetricsEndpoint takes a request byte by byte", () =>
  withEndpoint(async (port) => {
    const response = await exchange(port, ..."GET / HTTP/1.1\r\n\r\n");
    assertEquals(statusOf(response), "HTTP/1.1 200 OK");
  }));

Deno.test("MetricsEndpoint refuses everything else, each by its status", () =>
  withEndpoint(async (port) => {
    const rows = [
      ["GET /other HTTP/1.1\r\n\r\n", "404 Not Found"],
      ["GET /metrics/ HTTP/1.1\r\n\r\n", "404 Not Found"],
      ["POST /metrics HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", "405 Method Not Allowed"],
      ["\x16\x03\x01 a client hello of TLS\n\n", "400 Bad Request"],
      [
        `GET / HTTP/1.1\r\nA: ${"a".repeat(MetricsLimits.headBytes)}\r\n\r\n`,
        "431 Request Header Fields Too Large",
      ],
    ] as const;
    for (const [request, status] of rows) {
      assertEquals(statusOf(await exchange(port, request)), `HTTP/1.1 ${status}`);
    }
    assertStringIncludes(await exchange(port, rows[2][0]), "\r\nAllow: GET, HEAD\r\n");
    assertEquals((await exchange(port, "HEAD /other HTTP/1.1\r\n\r\n")).endsWith("\r\n\r\n"), true);
  }));

Deno.test("MetricsEndpoint has one document made for all who ask at once", () => {
  const waiting: ((text: string) => void)[] = [];
  const collect = (): Promise<string> => new Promise((resolve) => waiting.push(resolve));
  return withEndpoint(async (port) => {
    const asking = Array.from({ length: 8 }, () => exchange(port, "GET / HTTP/1.1\r\n\r\n"));
    while (waiting.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    waiting[0]!("text\n");
    for (const response of await Promise.all(asking)) assertEquals(response.endsWith("\r\n\r\ntext\n"), true);
    assertEquals(waiting.length, 1);
  }, collect);
});

Deno.test("MetricsEndpoint says so when there is no document", () =>
  withEndpoint(async (port) => {
    assertEquals(
      statusOf(await exchange(port, "GET / HTTP/1.1\r\n\r\n")),
      "HTTP/1.1 503 Service Unavailable",
    );
  }, () => Promise.reject(new Error("no worker"))));

Deno.test("MetricsEndpoint closes connections beyond its limit, and serves again when one has gone", () =>
  withEndpoint(async (port) => {
    const idle = await Promise.all(
      Array.from({ length: MetricsLimits.connections }, () => Deno.connect({ hostname: "127.0.0.1", port })),
    );
    using extra = await Deno.connect({ hostname: "127.0.0.1", port });
    assertEquals(await extra.read(new Uint8Array(1)).catch(() => null), null);
    for (const connection of idle) connection.close();
    for (let status = ""; status !== "HTTP/1.1 200 OK";) {
      status = statusOf(await exchange(port, "GET / HTTP/1.1\r\n\r\n").catch(() => ""));
    }
  }));

Deno.test("MetricsEndpoint ends every connection when it is closed", () =>
  withEndpoint(async (port, endpoint) => {
    using connection = await Deno.connect({ hostname: "127.0.0.1", port });
    await connection.write(new TextEncoder().encode("GET / HT"));
    await new Promise((resolve) => setTimeout(resolve, 1));
    endpoint.close();
    assertEquals(await connection.read(new Uint8Array(1)).catch(() => null), null);
  }));

Deno.test("MetricsEndpoint is not held up by peers that are gone before they are accepted", async () => {
  const log = new KeptLog();
  // As many as would take longer than the test may, if each cost a tenth of a second.
  const faults = Array.from({ length: 100 }, () => RESETS).flat();
  await withEndpoint(
    async (port) => assertEquals(statusOf(await exchange(port, "GET / HTTP/1.1\r\n\r\n")), "HTTP/1.1 200 OK"),
    countedDocument(),
    { faults, log },
  );
  assertEquals(log.lines, []);
});

Deno.test("MetricsEndpoint says once why it cannot accept connections, and accepts the next", async () => {
  const log = new KeptLog();
  const faults = Array.from({ length: 3 }, () => new Error("Too many open files (os error 24)"));
  await withEndpoint(
    async (port) => assertEquals(statusOf(await exchange(port, "GET / HTTP/1.1\r\n\r\n")), "HTTP/1.1 200 OK"),
    countedDocument(),
    { faults, log },
  );
  assertEquals(log.lines, [
    "warning: Cannot accept connections: Too many open files (os error 24); trying again",
  ]);
});
