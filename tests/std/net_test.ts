import { assertEquals } from "@std/assert";
import { getAvailablePort } from "@std/net";

Deno.test("@std/net getAvailablePort() finds a port on which one can listen", () => {
  using listener = Deno.listen({ port: getAvailablePort() });
  assertEquals(listener.addr.transport, "tcp");
});

Deno.test("@std/net getAvailablePort() prefers a port, if it is free", () => {
  const preferredPort = getAvailablePort();
  assertEquals(getAvailablePort({ preferredPort }), preferredPort);
  using _listener = Deno.listen({ port: preferredPort });
  assertEquals(getAvailablePort({ preferredPort }) === preferredPort, false);
});
