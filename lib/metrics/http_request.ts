/** The part of HTTP/1.1 (RFC 9112) that serving one document needs. */

/** The head of a request: its first line and its fields, up to the empty line. */
export interface RequestHead {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
}

/** Returns the length of a request's head in the received bytes; undefined while it is incomplete. */
export function headLength(received: Uint8Array): number | undefined {
  for (let end = 0; end < received.length; end++) {
    if (received[end] !== LINE_FEED) continue;
    // A bare LF may end a line, too (RFC 9112, 2.2).
    const next = received[end + 1] === CARRIAGE_RETURN ? end + 2 : end + 1;
    if (received[next] === LINE_FEED) return next + 1;
  }
  return undefined;
}

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;

/** Parses the first line of a request; undefined when it is invalid. */
export function parseHead(head: Uint8Array): RequestHead | undefined {
  const text = String.fromCharCode(...head);
  const [, method, target] = /^([!-~]+) ([!-~]+) HTTP\/1\.[01]\r?\n/.exec(text) ?? [];
  if (method === undefined || target === undefined) return undefined;
  return { method, path: target.replace(/\?.*$/s, "") };
}

/** The head of a response. */
export interface ResponseHead {
  readonly status: Status;
  readonly fields: Readonly<Record<string, string>>;
}

const REASONS = {
  200: "OK",
  400: "Bad Request",
  404: "Not Found",
  405: "Method Not Allowed",
  408: "Request Timeout",
  431: "Request Header Fields Too Large",
  503: "Service Unavailable",
} as const;

/** A status code that this server sends. */
export type Status = keyof typeof REASONS;

/** Returns a response as bytes; the connection is closed after it. */
export function formatResponse(
  { status, fields }: ResponseHead,
  body: string,
  withBody: boolean,
): Uint8Array {
  const encoder = new TextEncoder();
  const bytes = encoder.encode(body);
  const all = { ...fields, "Content-Length": String(bytes.length), "Connection": "close" };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  const head = encoder.encode(`HTTP/1.1 ${status} ${REASONS[status]}\r\n${lines.join("")}\r\n`);
  if (!withBody) return head;
  const response = new Uint8Array(head.length + bytes.length);
  response.set(head);
  response.set(bytes, head.length);
  return response;
}

/** Returns the body of a response that only reports its status. */
export function describeStatus(status: Status): string {
  return `${status} ${REASONS[status]}\n`;
}
