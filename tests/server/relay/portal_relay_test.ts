/** The relay with its real worker, under the worker's real rights. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { PortalRelay } from "../../../lib/server/relay/portal_relay.ts";
import { RelayLink } from "../../../lib/server/relay/relay_link.ts";
import type { RelayPort } from "../../../lib/server/relay/relay_message.ts";
import type { RelayedStream } from "../../../lib/server/relay/relayed_stream.ts";
import { startWorker } from "../../../lib/server/start_worker.ts";
import { systemClock } from "../../../lib/server/system.ts";
import { KeptLog } from "../_serving.ts";
import type { ConnectionEnds } from "../../../lib/iscsi/byte_stream.ts";

/** Answers whatever comes with the same, until the peer ends. */
async function echo(stream: RelayedStream): Promise<void> {
  const bytes = new Uint8Array(65_536);
  for (let count = await stream.read(bytes); count !== null; count = await stream.read(bytes)) {
    for (let offset = 0; offset < count;) offset += await stream.write(bytes.subarray(offset, count));
  }
  stream.close();
}

/** A relay at a free port that leads to an echo. */
async function startEcho(): Promise<{ relay: PortalRelay; port: number; arrived: ConnectionEnds[] }> {
  const listening = Promise.withResolvers<number>();
  const relay = new PortalRelay({
    portal: { address: "127.0.0.1", port: 0 },
    onListening: ({ port }) => listening.resolve(port),
    log: new KeptLog(),
    clock: systemClock,
    startWorker,
  });
  const arrived: ConnectionEnds[] = [];
  new RelayLink(relay.link as RelayPort, (stream, ends) => {
    arrived.push(ends);
    echo(stream);
  });
  return { relay, port: await listening.promise, arrived };
}

async function ask(connection: Deno.TcpConn, text: string): Promise<string> {
  await connection.write(new TextEncoder().encode(text));
  const answer = new Uint8Array(text.length);
  for (let length = 0; length < answer.length;) {
    const count = await connection.read(answer.subarray(length));
    assert(count !== null);
    length += count;
  }
  return new TextDecoder().decode(answer);
}

Deno.test("a relay hands connections over, with the addresses of both ends", async () => {
  const { relay, port, arrived } = await startEcho();
  try {
    using first = await Deno.connect({ hostname: "127.0.0.1", port });
    using second = await Deno.connect({ hostname: "127.0.0.1", port });
    assertEquals(await ask(first, "first"), "first");
    assertEquals(await ask(second, "second"), "second");
    const ends = { localAddress: "127.0.0.1", localPort: port, peerAddress: "127.0.0.1" };
    assertEquals(arrived, [ends, ends]);
  } finally {
    await relay.end(5_000);
    relay.link.close();
  }
});

Deno.test("a relay that is stopped accepts no more, serves those it has to their end, and ends then", async () => {
  const { relay, port } = await startEcho();
  try {
    const connection = await Deno.connect({ hostname: "127.0.0.1", port });
    assertEquals(await ask(connection, "before"), "before");
    relay.stop();
    let isRefused = false;
    for (let attempt = 0; attempt < 500 && !isRefused; attempt++) {
      await Deno.connect({ hostname: "127.0.0.1", port })
        .then((other) => other.close(), () => isRefused = true);
    }
    assert(isRefused);
    assertEquals(await ask(connection, "after"), "after");
    connection.close();
    assertEquals(await relay.ended, { message: undefined });
  } finally {
    await relay.end(5_000);
    relay.link.close();
  }
});

Deno.test("a relay that is ended closes the connections it has", async () => {
  const { relay, port } = await startEcho();
  using connection = await Deno.connect({ hostname: "127.0.0.1", port });
  assertEquals(await ask(connection, "before"), "before");
  await relay.end(5_000);
  assertEquals(await relay.ended, { message: undefined });
  assertEquals(await connection.read(new Uint8Array(1)).catch(() => null), null);
  relay.link.close();
});

Deno.test("a relay that cannot listen says why", async () => {
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = taken.addr;
  const relay = new PortalRelay({
    portal: { address: "127.0.0.1", port },
    onListening: () => {},
    log: new KeptLog(),
    clock: systemClock,
    startWorker,
  });
  const { message } = await relay.ended;
  assertStringIncludes(message!, "in use");
  relay.link.close();
});
