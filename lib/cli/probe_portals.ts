import { parsePortal } from "../bytes/network.ts";
import { errorMessage } from "../base/error_message.ts";
import { delay } from "../base/delay.ts";
import type { ServerStatus, WorkerStatus } from "../control/server_status.ts";
import { encodeLoginProbe, isLoginResponse } from "../iscsi/pdu/login_probe.ts";
import { BASIC_HEADER_BYTES } from "../iscsi/pdu/header.ts";

/** Milliseconds for all portals together. */
const LIMIT_MS = 2_000;

/** Milliseconds for a connection. The kernel makes it, however busy the server is. */
const CONNECT_MS = 500;

/** The outcome of a probe at a portal. */
export interface PortalProbe {
  /** `address:port`. */
  readonly portal: string;
  /** Null when no connection came about, because a firewall drops its packets. */
  readonly answers: boolean | null;
  /** The reason, for people; null when it answers. */
  readonly problem: string | null;
}

/** The outcome of `iscsi status --probe`. */
export interface ProbeReport {
  /** A login would be answered at every portal of the conf at which a firewall lets it pass. */
  readonly answers: boolean;
  readonly portals: readonly PortalProbe[];
  /** The other reasons for which logins are not answered, as sentences. */
  readonly problems: readonly string[];
}

/** Begins a login at every portal of a server, and returns where it was answered. */
export async function probePortals(
  { portals, workers, ready }: Pick<ServerStatus, "portals" | "workers" | "ready">,
  limitMs = LIMIT_MS,
): Promise<ProbeReport> {
  const probes = await Promise.all(portals.map((portal) => probePortal(portal, limitMs)));
  const problems = [
    ...(ready ? [] : ["the server is not ready"]),
    ...workers.flatMap(describeProblems),
    ...(portals.length === 0 ? ["the server listens at no portal"] : []),
  ];
  const answers = problems.length === 0 && probes.every(({ answers }) => answers !== false);
  return { answers, portals: probes, problems };
}

/** Formats the outcome at a portal. */
export function formatProbe({ portal, problem }: PortalProbe): string {
  return `${portal}: ${problem ?? "answers"}`;
}

/** Describes why a worker answers no logins, or not at all of its portals. */
function describeProblems({ port, state, reason, faults }: WorkerStatus): readonly string[] {
  return state === "running" ? faults : [`the worker of port ${port} is ${state}: ${reason}`];
}

async function probePortal(portal: string, limitMs: number): Promise<PortalProbe> {
  const controller = new AbortController();
  const { signal } = controller;
  let connection: Deno.TcpConn | undefined;
  const late = async (): Promise<PortalProbe> => {
    await delay(Math.min(CONNECT_MS, limitMs), signal);
    if (connection === undefined) {
      return { portal, answers: null, problem: "blocked: no connection, as behind a firewall" };
    }
    await delay(Math.max(limitMs - CONNECT_MS, 0), signal);
    return { portal, answers: false, problem: `connected, and no answer within ${limitMs / 1000} s` };
  };
  const done = beginLogin(portal, signal, (made) => connection = made).then(
    (): PortalProbe => ({ portal, answers: true, problem: null }),
    (error): PortalProbe => ({ portal, answers: false, problem: errorMessage(error) }),
  );
  try {
    return await Promise.race([done, late()]);
  } finally {
    controller.abort();
    connection?.close();
  }
}

/** Sends the first request of a login; rejects without a Login Response. */
async function beginLogin(
  portal: string,
  signal: AbortSignal,
  onConnected: (connection: Deno.TcpConn) => void,
): Promise<void> {
  const connection = await connectTo(portal, signal);
  onConnected(connection);
  const request = encodeLoginProbe();
  for (let sent = 0; sent < request.length;) sent += await connection.write(request.subarray(sent));
  const header = new Uint8Array(BASIC_HEADER_BYTES);
  for (let received = 0; received < header.length;) {
    const count = await connection.read(header.subarray(received));
    if (count === null) throw new Error("the connection was closed without an answer");
    received += count;
  }
  if (!isLoginResponse(header)) throw new Error("the answer is no Login Response");
}

/** Connects to a portal of this machine, by the first of its addresses at which something listens. */
async function connectTo(portal: string, signal: AbortSignal): Promise<Deno.TcpConn> {
  const { address, port } = parsePortal(portal, 0)!;
  let fault: unknown;
  for (const hostname of LOOPBACK[address] ?? [address]) {
    try {
      return await Deno.connect({ hostname, port, signal });
    } catch (error) {
      fault ??= error;
    }
  }
  throw fault;
}

/**
 * The addresses at which a wildcard is reached, which is no address of its own. That of IPv6 includes IPv4, unless
 * `net.ipv6.bindv6only` is set, and has no IPv6 where that is disabled.
 */
const LOOPBACK: Readonly<Record<string, readonly string[]>> = {
  "0.0.0.0": ["127.0.0.1"],
  "::": ["127.0.0.1", "::1"],
};
