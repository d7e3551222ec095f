/** Both ends of the control socket, over a real one. */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { ControlClient } from "../../lib/control/control_client.ts";
import { ControlError } from "../../lib/control/control_error.ts";
import { ControlLimits } from "../../lib/control/control_limits.ts";
import { encodeLine, type Reply } from "../../lib/control/control_message.ts";
import type { RequestContext } from "../../lib/control/control_requests.ts";
import { type ClientLimits, ControlServer } from "../../lib/control/control_server.ts";
import type { ServerStatus } from "../../lib/control/server_status.ts";
import { handlersWith } from "./_handlers.ts";
import { withScratch } from "../provision/scratch.ts";
import { until } from "../support/until.ts";

const STATUS: ServerStatus = {
  version: "1.2.3",
  pid: 1,
  uptimeSeconds: 60,
  monotonicMs: 60_000,
  storage: "/data",
  portals: [],
  workers: [],
  warnings: [],
  paths: [],
  space: { files: [], fileSystems: [] },
  ready: true,
  node: null,
};
const REQUEST = encodeLine({ request: "status", parameters: {} });

type HandleStatus = (context: RequestContext) => Promise<ServerStatus>;

/** Runs a test with a server at a socket. */
function withServer(
  handle: HandleStatus,
  test: (path: string) => Promise<void>,
  limits: Partial<ClientLimits> = {},
): Promise<void> {
  return withScratch(async (folder) => {
    const path = join(folder, "control");
    const handlers = handlersWith({ status: (_parameters, context) => handle(context) });
    using _server = await ControlServer.listen(path, handlers, { ...ControlLimits, ...limits });
    await test(path);
  });
}

function answerAtOnce(): Promise<ServerStatus> {
  return Promise.resolve(STATUS);
}

/** Sends bytes as they are, in pieces, and returns the lines that come until the server closes. */
async function exchange(path: string, bytes: string | Uint8Array, pieceBytes = Infinity): Promise<Reply[]> {
  using connection = await Deno.connect({ transport: "unix", path });
  const all = typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes;
  for (let offset = 0; offset < all.length; offset += pieceBytes) {
    await connection.write(all.subarray(offset, offset + pieceBytes));
  }
  return await receiveAll(connection);
}

async function receiveAll(connection: Deno.UnixConn): Promise<Reply[]> {
  let text = "";
  const decoder = new TextDecoder();
  for await (const piece of connection.readable) text += decoder.decode(piece, { stream: true });
  return text.split("\n").filter((line) => line !== "").map((line) => JSON.parse(line));
}

async function errorOf(path: string, bytes: string | Uint8Array): Promise<string> {
  const [reply, ...more] = await exchange(path, bytes);
  assertEquals(more, []);
  assert(reply?.kind === "error", JSON.stringify(reply));
  return reply.message;
}

Deno.test("the server answers a request, and the socket is its owner's alone and gone at the end", () =>
  withScratch(async (folder) => {
    const path = join(folder, "control");
    // What a server that was killed has left.
    Deno.writeTextFileSync(path, "");
    {
      using _server = await ControlServer.listen(path, handlersWith({ status: answerAtOnce }));
      assertEquals(Deno.lstatSync(path).mode! & 0o777, 0o600);
      assertEquals(await new ControlClient(path).request("status", {}), STATUS);
    }
    assertEquals([...Deno.readDirSync(folder)], []);
    const gone = await assertRejects(() => new ControlClient(path).request("status", {}), ControlError);
    assertEquals(gone.kind, "noServer");
  }));

Deno.test("a server that was killed is told apart from one that refuses", () =>
  withScratch(async (folder) => {
    const path = join(folder, "control");
    Deno.writeTextFileSync(path, "");
    for (const place of [path, join(path, "control")]) {
      const refused = await assertRejects(() => new ControlClient(place).request("status", {}), ControlError);
      assertEquals(refused.kind, "noServer", place);
    }
    const failing = handlersWith({ status: () => Promise.reject(new Error("the disk is on fire")) });
    using _server = await ControlServer.listen(path, failing);
    const failed = await assertRejects(() => new ControlClient(path).request("status", {}), ControlError);
    assertEquals([failed.kind, failed.message], ["refused", "the disk is on fire"]);
  }));

Deno.test("a storage folder with a long name has its socket all the same", () =>
  withScratch(async (folder) => {
    const long = join(folder, "x".repeat(100), "y".repeat(100));
    Deno.mkdirSync(long, { recursive: true });
    const path = join(long, "control");
    {
      using _server = await ControlServer.listen(path, handlersWith({ status: answerAtOnce }));
      assertEquals(Deno.lstatSync(path).mode! & 0o777, 0o600);
      assertEquals(await new ControlClient(path).request("status", {}), STATUS);
    }
    assertEquals([...Deno.readDirSync(long)], []);
  }));

Deno.test("a request may come byte by byte", () =>
  withServer(answerAtOnce, async (path) => {
    assertEquals(
      await exchange(path, REQUEST, 1),
      [{ version: 1, kind: "result", result: STATUS }] as unknown as Reply[],
    );
  }));

Deno.test("what is no request is refused, with the reason, and the next client is served", () =>
  withServer(answerAtOnce, async (path) => {
    assertStringIncludes(await errorOf(path, "GET / HTTP/1.1\r\n"), "not an object");
    assertStringIncludes(
      await errorOf(path, '{"version":9,"request":"status","parameters":{}}\n'),
      "version 9",
    );
    const unknown = encodeLine({ request: "constructor", parameters: {} });
    assertStringIncludes(await errorOf(path, unknown), 'There is no request "constructor", only status,');
    const surplus = encodeLine({ request: "status", parameters: { all: true } });
    assertStringIncludes(await errorOf(path, surplus), 'must be "{}"');
    assertStringIncludes(await errorOf(path, REQUEST + REQUEST), "Client sent more than one request");
    assertStringIncludes(await errorOf(path, `${REQUEST}{`), "Client sent more than one request");
    assertStringIncludes(await errorOf(path, new Uint8Array([0xff, 0xfe, 0x0a])), "not valid");
    assertEquals(await new ControlClient(path).request("status", {}), STATUS);
  }));

Deno.test("a request that is too long is refused before it has come whole", () =>
  withServer(answerAtOnce, async (path) => {
    assertEquals(await errorOf(path, "x".repeat(101)), "Line is longer than 100 bytes");
  }, { requestBytes: 100 }));

Deno.test("a client that says nothing is told so and is let go", () =>
  withServer(answerAtOnce, async (path) => {
    assertEquals(await errorOf(path, REQUEST.slice(0, -1)), "No request arrived within 20 ms");
  }, { requestMs: 20 }));

Deno.test("more clients than there is room for are all answered, one after the other", () =>
  withServer(answerAtOnce, async (path) => {
    const clients = Array.from({ length: 50 }, () => new ControlClient(path).request("status", {}));
    assertEquals(await Promise.all(clients), Array<ServerStatus>(50).fill(STATUS));
  }, { clients: 3 }));

Deno.test("progress reaches the client before the result does", () =>
  withServer(({ progress }) => {
    progress("half");
    return Promise.resolve(STATUS);
  }, async (path) => {
    const heard: string[] = [];
    const result = await new ControlClient(path).request("status", {}, (message) => heard.push(message));
    assertEquals([heard, result], [["half"], STATUS]);
  }));

Deno.test("a client that takes nothing in does not hold up the others, and is let go", () => {
  const huge = { ...STATUS, portals: Array<string>(100_000).fill("127.0.0.1:3260") };
  return withServer(() => Promise.resolve(huge), async (path) => {
    using slow = await Deno.connect({ transport: "unix", path });
    await slow.write(new TextEncoder().encode(REQUEST));
    // There is room for one client only, so this one is served when the slow one has been let go.
    assertEquals((await new ControlClient(path).request("status", {})).portals.length, 100_000);
  }, { clients: 1, replyMs: 500 });
});

Deno.test("a handler hears that its client has gone", () => {
  let context: RequestContext | undefined;
  const never = Promise.withResolvers<ServerStatus>();
  return withServer((given) => {
    context = given;
    return never.promise;
  }, async (path) => {
    const connection = await Deno.connect({ transport: "unix", path });
    await connection.write(new TextEncoder().encode(REQUEST));
    await until(() => context !== undefined, "the request is being handled");
    assertEquals(context!.signal.aborted, false);
    connection.close();
    await until(() => context!.signal.aborted, "the handler is told");
    never.resolve(STATUS);
  });
});

Deno.test("a client whose server goes in the middle says so", () =>
  withScratch(async (folder) => {
    const path = join(folder, "control");
    const asked = Promise.withResolvers<void>();
    const server = await ControlServer.listen(
      path,
      handlersWith({
        status: () => {
          asked.resolve();
          return new Promise<ServerStatus>(() => {});
        },
      }),
    );
    const answer = new ControlClient(path).request("status", {});
    await asked.promise;
    server[Symbol.dispose]();
    const error = await assertRejects(() => answer, ControlError, "closed the connection before the end");
    assertEquals(error.kind, "broken");
  }));
