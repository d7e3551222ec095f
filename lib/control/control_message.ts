/**
 * The protocol of the control socket. A client sends one request and waits. The server answers with any number of
 * progress lines and one line with the result or an error, and closes the connection. Every message is a line with a
 * JSON object:
 *
 *     client  {"version":1,"request":"status","parameters":{}}
 *     server  {"version":1,"kind":"progress","message":"..."}
 *     server  {"version":1,"kind":"result","result":...}   or   {"version":1,"kind":"error","message":"..."}
 *
 * The version covers all requests, parameters and results. Server and client are the same program, so their versions
 * differ only after an upgrade; then they report an error.
 */
import { ControlError } from "./control_error.ts";
import { isRecord, type JsonRecord } from "../base/is_record.ts";

/** The version of the protocol. Raise it with every incompatible change. */
export const CONTROL_VERSION = 1;

/** A request whose parameters are not checked yet. */
export interface RawRequest {
  readonly request: string;
  readonly parameters: unknown;
}

/** A message of the server. */
export type Reply =
  | { readonly kind: "progress"; readonly message: string }
  | { readonly kind: "result"; readonly result: unknown }
  | { readonly kind: "error"; readonly message: string };

/** Returns a message as a line. */
export function encodeLine(message: RawRequest | Reply): string {
  return `${JSON.stringify({ version: CONTROL_VERSION, ...message })}\n`;
}

/**
 * Decodes a line from a client.
 *
 * @throws {ControlError}
 */
export function decodeRequest(line: string): RawRequest {
  const { request, parameters } = decodeRecord(line, "request", "of the server's program");
  if (typeof request !== "string") throw new ControlError("broken", 'Request has no text "request"');
  return { request, parameters };
}

/**
 * Decodes a line from the server.
 *
 * @throws {ControlError}
 */
export function decodeReply(line: string): Reply {
  const record = decodeRecord(line, "answer", "of this program");
  const { kind, message } = record;
  if (kind === "result" && "result" in record) return { kind, result: record["result"] };
  if ((kind === "progress" || kind === "error") && typeof message === "string") return { kind, message };
  throw new ControlError("broken", "Answer is neither progress nor result nor error");
}

function decodeRecord(line: string, what: string, whose: string): JsonRecord {
  const record = parse(line);
  if (!isRecord(record)) throw new ControlError("broken", `Control ${what} is not an object of JSON`);
  const { version } = record;
  if (version === CONTROL_VERSION) return record;
  throw new ControlError(
    "broken",
    `Control ${what} has version ${JSON.stringify(version) ?? "none"}, not ${CONTROL_VERSION} ${whose}: ` +
      "restart the server after an upgrade",
  );
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
