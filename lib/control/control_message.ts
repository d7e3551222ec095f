/**
 * What goes over the control socket. A client sends one request and nothing more, and stays until it is answered; the
 * server answers with any number of lines that tell of its progress, then with one that holds the result or says why
 * there is none, and closes. Every message is a line, an object in JSON:
 *
 *     client  {"version":1,"request":"status","parameters":{}}
 *     server  {"version":1,"kind":"progress","message":"..."}
 *     server  {"version":1,"kind":"result","result":...}   or   {"version":1,"kind":"error","message":"..."}
 *
 * The version stands for all requests, parameters and results together. Server and client are the same program, so
 * only after an upgrade can they differ; then they say so, and do not guess.
 */
import { ControlError } from "./control_error.ts";
import { isRecord, type JsonRecord } from "../base/is_record.ts";

/** To be raised with every change that an older or newer program would misunderstand. */
export const CONTROL_VERSION = 1;

/** A request whose parameters nobody has looked at. */
export interface RawRequest {
  readonly request: string;
  readonly parameters: unknown;
}

/** A line of the server's. */
export type Reply =
  | { readonly kind: "progress"; readonly message: string }
  | { readonly kind: "result"; readonly result: unknown }
  | { readonly kind: "error"; readonly message: string };

/** A message as a line. */
export function encodeLine(message: RawRequest | Reply): string {
  return `${JSON.stringify({ version: CONTROL_VERSION, ...message })}\n`;
}

/**
 * Reads a line of a client's.
 *
 * @throws {ControlError}
 */
export function decodeRequest(line: string): RawRequest {
  const { request, parameters } = decodeRecord(line, "request", "of the server's program");
  if (typeof request !== "string") throw new ControlError("broken", 'Request has no text "request"');
  return { request, parameters };
}

/**
 * Reads a line of the server's.
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
