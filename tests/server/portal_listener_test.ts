import { assert, assertEquals } from "@std/assert";
import { EventLog } from "../../lib/iscsi/event_log.ts";
import { PortalListener } from "../../lib/server/portal_listener.ts";

/** Connects again and again, and resets each connection at once. */
const RESETTING = `
  import { connect } from "node:net";
  for (let count = 0; count < 20; count++) {
    const socket = connect(Number(Deno.args[0]), "127.0.0.1");
    const closed = new Promise((resolve) => socket.once("close", resolve));
    socket.once("connect", () => socket.resetAndDestroy());
    await closed;
  }
`;

Deno.test("peers that are gone before they are accepted hold up nobody, and are nothing to warn of", async () => {
  const served = Promise.withResolvers<void>();
  const warnings: string[] = [];
  const listener = new PortalListener({ address: "127.0.0.1", port: 0 }, {
    serve: (connection) => {
      connection.close();
      served.resolve();
    },
    log: new EventLog(({ message }) => warnings.push(message)),
  });
  const { port } = listener.address;
  // This process stands still meanwhile, so that none is accepted before it is gone.
  const args = ["eval", "--ext=ts", RESETTING, String(port)];
  assert(new Deno.Command(Deno.execPath(), { args }).outputSync().success);
  using _good = await Deno.connect({ hostname: "127.0.0.1", port });
  await served.promise;
  listener.close();
  assertEquals(warnings, []);
});
