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
   * Returns the parameters of a request, checked.
   *
   * @throws {ControlError}
   */
  readonly decode: (parameters: unknown) => Parameters;
  /** Milliseconds that a client waits for the answer. The server may go on with the request. */
  readonly limitMs: number;
}

/** Every request of the control socket. */
export const CONTROL_REQUESTS = {
  /** Returns the state of the server and its sessions. */
  status: { decode: decodeNothing, limitMs: 10_000 },
  /** Ends sessions. */
  disconnect: { decode: decodeDisconnect, limitMs: 60_000 },
  /** Returns the reservations of all LUNs. */
  reservations: { decode: decodeNothing, limitMs: 10_000 },
  /** Clears the reservations of a LUN. */
  clearReservations: { decode: decodeUnit, limitMs: 10_000 },
  /** Preserves a LUN as it is now, until the client has copied it or disconnects. */
  copy: { decode: decodeCopy, limitMs: 20 * 24 * 3_600_000 },
  /** Reports the progress of a copy to the server, or its end. */
  followCopy: { decode: decodeFollowCopy, limitMs: 60_000 },
  /** Takes a LUN out of service until the client ends that or disconnects. Returns why it is not ready then. */
  replace: { decode: decodeUnit, limitMs: 20 * 24 * 3_600_000 },
  /** Ends a replacement: the LUN is served again. */
  endReplacement: { decode: decodeEndReplacement, limitMs: 60_000 },
  /** Gives the space of blocks of a LUN back that hold only zeros. Ends early when the client disconnects. */
  trim: { decode: decodeTrim, limitMs: 20 * 24 * 3_600_000 },
  /** Reloads the conf. */
  reload: { decode: decodeReload, limitMs: 600_000 },
} as const satisfies Record<string, RequestRow<unknown>>;

/** The result of each request. */
export interface ControlResults {
  readonly status: ServerStatus;
  readonly disconnect: DisconnectReport;
  readonly reservations: readonly UnitReservations[];
  readonly clearReservations: null;
  readonly copy: null;
  readonly followCopy: null;
  /** The reason for which the LUN is not ready; null when it is. */
  readonly replace: string | null;
  readonly endReplacement: null;
  readonly trim: TrimReport;
  readonly reload: ReloadReport;
}

/** The name of a request. */
export type RequestName = keyof typeof CONTROL_REQUESTS;

/** The parameters of a request. */
export type ParametersOf<Name extends RequestName> = ReturnType<typeof CONTROL_REQUESTS[Name]["decode"]>;

/** The client's side of a request, for its handler. */
export interface RequestContext {
  /** Sends the client a progress message; drops it if the client is slow. */
  readonly progress: (message: string) => void;
  /** Aborted when the client disconnects. */
  readonly signal: AbortSignal;
}

/** The server's handler for each request; the message of a thrown `Error` is sent to the client. */
export type ControlHandlers = {
  readonly [Name in RequestName]: (
    parameters: ParametersOf<Name>,
    context: RequestContext,
  ) => Promise<ControlResults[Name]>;
};

/**
 * Returns the name of a client's request.
 *
 * @throws {ControlError} when no request has this name
 */
export function requestNameOf({ request }: RawRequest): RequestName {
  if (Object.hasOwn(CONTROL_REQUESTS, request)) return request as RequestName;
  const names = Object.keys(CONTROL_REQUESTS).join(", ");
  throw new ControlError("refused", `There is no request ${JSON.stringify(request)}, only ${names}`);
}

/**
 * Checks the parameters of a request and calls its handler.
 *
 * @throws {ControlError} (rejects) when the parameters are wrong; the handler's errors pass through
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

function decodeCopy(parameters: unknown): CopyRequest {
  const { target, lun, sizeBytes, destination, temporary, shares } = isRecord(parameters) ? parameters : {};
  const areValid = typeof target === "string" && typeof lun === "number" && typeof sizeBytes === "number" &&
    typeof destination === "string" && (temporary === null || typeof temporary === "string") &&
    typeof shares === "boolean";
  if (!areValid) {
    throw new ControlError(
      "broken",
      'Parameters of "copy" must be texts "target", "destination", "temporary" (or null), numbers "lun", "sizeBytes" ' +
        'and a boolean "shares"',
    );
  }
  return { target, lun, sizeBytes, destination, temporary, shares };
}

function decodeFollowCopy(parameters: unknown): FollowCopyRequest {
  const { copy, copiedBytes, isComplete } = isRecord(parameters) ? parameters : {};
  if (typeof copy !== "number" || typeof copiedBytes !== "number" || typeof isComplete !== "boolean") {
    throw new ControlError(
      "broken",
      'Parameters of "followCopy" must be numbers "copy", "copiedBytes" and a boolean "isComplete"',
    );
  }
  return { copy, copiedBytes, isComplete };
}

function decodeEndReplacement(parameters: unknown): EndReplacementRequest {
  const { replacement } = isRecord(parameters) ? parameters : {};
  if (typeof replacement !== "number") {
    throw new ControlError("broken", 'Parameter "replacement" of "endReplacement" must be a number');
  }
  return { replacement };
}

function decodeTrim(parameters: unknown): TrimRequest {
  const { bytesPerSecond } = isRecord(parameters) ? parameters : {};
  if (bytesPerSecond !== null && !(Number.isFinite(bytesPerSecond) && Number(bytesPerSecond) > 0)) {
    throw new ControlError(
      "broken",
      'Parameter "bytesPerSecond" of "trim" must be a positive number or null',
    );
  }
  return {
    ...decodeUnit(parameters),
    bytesPerSecond: bytesPerSecond === null ? null : Number(bytesPerSecond),
  };
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

/** The LUN to trim. */
export interface TrimRequest extends UnitAddress {
  /** The most bytes to read in a second; null for no limit. */
  readonly bytesPerSecond: number | null;
}

/** The progress of a trim: a progress message of `trim` has it as JSON. */
export interface TrimProgress {
  readonly sizeBytes: number;
  readonly examinedBytes: number;
  readonly releasedBytes: number;
  readonly busyBytes: number;
}

/** The result of a trim. */
export interface TrimReport extends TrimProgress {
  /** The space of the file before and after; null for a block device. */
  readonly allocatedBytesBefore: number | null;
  readonly allocatedBytes: number | null;
}

/** The sessions to end. */
export interface DisconnectRequest {
  /** By their numbers, the target session identifying handles. */
  readonly sessions: readonly number[];
  /** True to disconnect at once, without asking the initiators to log out. */
  readonly now: boolean;
}

/** The result of ending sessions. */
export interface DisconnectReport {
  readonly ended: readonly number[];
  /** Sessions that still exist after the grace period. */
  readonly remaining: readonly number[];
}

/** The options of a reload. */
export interface ReloadRequest {
  /** Absolute path of the conf; the server refuses any but its own. */
  readonly file: string;
  /** True to reload even when that ends sessions. */
  readonly force: boolean;
  /** True to only report the changes. */
  readonly dryRun: boolean;
}

/** The changes that a reload made, or would make. */
export interface ReloadReport {
  readonly dryRun: boolean;
  readonly changes: readonly ReportedChange[];
  /** The change that needs `--force`, with the reason; null when none does. */
  readonly obstacle: string | null;
}

/** The copy of a LUN. */
export interface CopyRequest extends UnitAddress {
  /** The size of the LUN, as the client knows it. */
  readonly sizeBytes: number;
  /** The destination, for people. */
  readonly destination: string;
  /** The file that becomes the copy, empty and as long as the LUN; null when the copy is not a file. */
  readonly temporary: string | null;
  /** The client makes a file that shares the blocks of the LUN, while all operations on it are held. */
  readonly shares: boolean;
}

/** The replacement to end. */
export interface EndReplacementRequest {
  /** Its number, the progress message of `replace`. */
  readonly replacement: number;
}

/** The progress of a copy. */
export interface FollowCopyRequest {
  readonly copy: number;
  readonly copiedBytes: number;
  /** All has been read: the server ends the copy, and answers when all old blocks are in the file. */
  readonly isComplete: boolean;
}
