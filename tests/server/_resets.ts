/** Connections that go wrong before they are accepted, which the kernel cannot be made to bring about at will. */

const { ConnectionAborted, ConnectionReset, NotConnected } = Deno.errors;

/** A peer's reset, in each of the forms in which a listener may report it. */
export const RESETS = [NotConnected, NotConnected, ConnectionReset, ConnectionAborted, NotConnected].map(
  (Fault) => new Fault("Transport endpoint is not connected (os error 107)"),
);

/** Runs what listens, so that its listener fails with each of these faults before it accepts anything. */
export function listeningAmongFaults<T>(faults: readonly Error[], listen: () => T): T {
  const original = Deno.listen;
  const left = [...faults];
  const listenAmongFaults = (options: Deno.TcpListenOptions & { transport?: "tcp" }): Deno.TcpListener => {
    const listener = original(options);
    const { accept } = listener;
    listener.accept = async () => {
      const fault = left.shift();
      if (fault !== undefined) throw fault;
      return await accept.call(listener);
    };
    return listener;
  };
  Deno.listen = listenAmongFaults as typeof Deno.listen;
  try {
    return listen();
  } finally {
    Deno.listen = original;
  }
}
