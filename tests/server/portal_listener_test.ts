import { assertEquals } from "@std/assert";
import { EventLog } from "../../lib/iscsi/event_log.ts";
import { PortalListener } from "../../lib/server/portal_listener.ts";

const { ConnectionAborted, ConnectionReset, NotConnected } = Deno.errors;
const { listen } = Deno;

/** Makes listeners whose next connections were reset by their peers before they are accepted. */
function listenAmongResets(options: Deno.TcpListenOptions & { transport?: "tcp" }): Deno.TcpListener {
  const listener = listen(options);
  const { accept } = listener;
  const faults = [NotConnected, NotConnected, ConnectionReset, ConnectionAborted, NotConnected];
  listener.accept = async () => {
    const Fault = faults.pop();
    if (Fault !== undefined) throw new Fault("Transport endpoint is not connected (os error 107)");
    return await accept.call(listener);
  };
  return listener;
}

Deno.test("peers that are gone before they are accepted hold up nobody, and are nothing to warn of", async () => {
  const served = Promise.withResolvers<void>();
  const warnings: string[] = [];
  const options = {
    serve: (connection: Deno.TcpConn) => {
      connection.close();
      served.resolve();
    },
    log: new EventLog(({ message }) => warnings.push(message)),
  };
  Deno.listen = listenAmongResets as typeof Deno.listen;
  const listener = new PortalListener({ address: "127.0.0.1", port: 0 }, options);
  Deno.listen = listen;
  using _good = await Deno.connect({ hostname: "127.0.0.1", port: listener.address.port });
  await served.promise;
  listener.close();
  assertEquals(warnings, []);
});
