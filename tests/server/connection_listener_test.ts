import { assertEquals } from "@std/assert";
import { ConnectionListener } from "../../lib/server/connection_listener.ts";
import { listeningAmongFaults, RESETS } from "./_resets.ts";
import { KeptLog } from "./_serving.ts";

Deno.test("peers that are gone before they are accepted hold up nobody, and are nothing to warn of", async () => {
  const served = Promise.withResolvers<void>();
  const log = new KeptLog();
  const serve = (connection: Deno.TcpConn): void => {
    connection.close();
    served.resolve();
  };
  const listener = listeningAmongFaults(
    RESETS,
    () => new ConnectionListener({ address: "127.0.0.1", port: 0 }, { serve, log }),
  );
  using _good = await Deno.connect({ hostname: "127.0.0.1", port: listener.address.port });
  await served.promise;
  listener.close();
  assertEquals(log.lines, []);
});
