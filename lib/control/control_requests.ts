import { ControlError } from "./control_error.ts";
import { type RawRequest } from "./control_message.ts";
import type { ServerStatus } from "./server_status.ts";
import type { UnitReservations } from "./unit_reservations.ts";
import type { ReportedChange } from "./reported_change.ts";
import { isRecord } from "../base/is_record.ts";

/** A LUN, by the name of its target in the conf. */
export interface UnitAddress {
  readonly target: string;
  readonly lun: number;
}

interface RequestRow<Parameters> {
  /**
   * The parameters of a request, checked.
   *
   * @throws {ControlError}
   */
  readonly decode: (parameters: unknown) => Parameters;
  /** How long a client waits for the answer. The server may go on with what it was asked for. */
  readonly limitMs: number;
}

/** Every request of the control socket. */
export const CONTROL_REQUESTS = {
  /** How the server is, and who uses it. */
  status: { decode: decodeNothing, limitMs: 10_000 },
  /** End sessions. */
  disconnect: { decode: decodeDisconnect, limitMs: 60_000 },
  /** What is reserved of the LUNs. */
  reservations: { decode: decodeNothing, limitMs: 10_000 },
  /** Clear all that is reserved of a LUN. */
  clearReservations: { decode: decodeUnit, limitMs: 10_000 },
  /** Read the conf again, and serve what it says now. */
  reload: { decode: decodeReload, limitMs: 600_000 },
} as const satisfies Record<string, RequestRow<unknown>>;

/** What each request is answered with. */
export interface ControlResults {
  readonly status: ServerStatus;
  readonly disconnect: DisconnectReport;
  readonly reservations: readonly UnitReservations[];
  readonly clearReservations: null;
  readonly reload: ReloadReport;
}

/** The name of a request. */
export type RequestName = keyof typeof CONTROL_REQUESTS;

/** What a request asks for in particular. */
export type ParametersOf<Name extends RequestName> = ReturnType<typeof CONTROL_REQUESTS[Name]["decode"]>;

/** A request as its handler sees it, besides the parameters. */
export interface RequestContext {
  /** Tells the client how far the work has come; it may be too slow to hear it. */
  readonly progress: (message: string) => void;
  /** Aborted when the client is gone. */
  readonly signal: AbortSignal;
}

/** What the server does for each request; an `Error` that is thrown reaches the client as its message. */
export type ControlHandlers = {
  readonly [Name in RequestName]: (
    parameters: ParametersOf<Name>,
    context: RequestContext,
  ) => Promise<ControlResults[Name]>;
};

/**
 * The name of the request that a client asks for.
 *
 * @throws {ControlError} when there is none of that name
 */
export function requestNameOf({ request }: RawRequest): RequestName {
  if (Object.hasOwn(CONTROL_REQUESTS, request)) return request as RequestName;
  const names = Object.keys(CONTROL_REQUESTS).join(", ");
  throw new ControlError("refused", `There is no request ${JSON.stringify(request)}, only ${names}`);
}

/**
 * Has a request handled.
 *
 * @throws {ControlError} (rejects) when its parameters are wrong; else whatever the handler throws
 */
export async function performRequest<Name extends RequestName>(
  name: Name,
  parameters: unknown,
  handlers: ControlHandlers,
  context: RequestContext,
): Promise<ControlResults[Name]> {
  const checked = CONTROL_REQUESTS[name].decode(parameters) as ParametersOf<Name>;
  return await handlers[name](checked, context);
}

function decodeNothing(parameters: unknown): Readonly<Record<string, never>> {
  if (!isRecord(parameters) || Object.keys(parameters).length > 0) {
    throw new ControlError("broken", 'Parameters of the request must be "{}"');
  }
  return {};
}

function decodeDisconnect(parameters: unknown): DisconnectRequest {
  const { sessions, now } = isRecord(parameters) ? parameters : {};
  if (!isNumbers(sessions) || typeof now !== "boolean") {
    throw new ControlError(
      "broken",
      'Parameters of "disconnect" must be numbers "sessions" and a boolean "now"',
    );
  }
  return { sessions, now };
}

function isNumbers(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.every(Number.isSafeInteger);
}

function decodeUnit(parameters: unknown): UnitAddress {
  const { target, lun } = isRecord(parameters) ? parameters : {};
  if (typeof target !== "string" || typeof lun !== "number") {
    throw new ControlError("broken", 'Parameters must be a text "target" and a number "lun"');
  }
  return { target, lun };
}

function decodeReload(parameters: unknown): ReloadRequest {
  const { file, force, dryRun } = isRecord(parameters) ? parameters : {};
  if (typeof file !== "string" || typeof force !== "boolean" || typeof dryRun !== "boolean") {
    throw new ControlError(
      "broken",
      'Parameters of "reload" must be a text "file" and booleans "force", "dryRun"',
    );
  }
  return { file, force, dryRun };
}

/** Which sessions are to end. */
export interface DisconnectRequest {
  /** By their numbers, the target session identifying handles. */
  readonly sessions: readonly number[];
  /** At once, and not when their initiators have logged out. */
  readonly now: boolean;
}

/** What became of sessions that were to end. */
export interface DisconnectReport {
  readonly ended: readonly number[];
  /** Those that are still there, which should not be. */
  readonly remaining: readonly number[];
}

/** How the server is asked to read its conf again. */
export interface ReloadRequest {
  /** Absolute path of the conf that is meant: the server's own, or it refuses. */
  readonly file: string;
  /** Even if every session ends. */
  readonly force: boolean;
  /** Only say what would change. */
  readonly dryRun: boolean;
}

/** What a server has made live, or would. */
export interface ReloadReport {
  readonly dryRun: boolean;
  readonly changes: readonly ReportedChange[];
  /** What of it is done only with force, and why; null when it takes none. */
  readonly obstacle: string | null;
}
