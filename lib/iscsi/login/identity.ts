/** The identity that an initiator declares in its first login text (RFC 7143, 6.3). */
import type { Credentials } from "../../config/chap.ts";
import { foldIscsiName, initiatorNameProblem, iscsiNameProblem } from "../../config/iscsi_name.ts";
import { quoted } from "../events/peer_text.ts";
import type { LoginRequest } from "../pdu/initiator_pdus.ts";
import { LoginStatus } from "../pdu/login_status.ts";
import { loginFailed } from "../pdu/protocol_error.ts";

/** The identity of a session: folded names of both sides, and the ISID. */
export interface SessionIdentity {
  readonly initiatorName: string;
  /** Undefined in a discovery session. */
  readonly targetName: string | undefined;
  /** The target that a discovery session names (7.4.2.2); usually undefined. */
  readonly discoveredName: string | undefined;
  readonly isid: number;
  /** The account that the initiator has proved by CHAP; undefined where nothing had to be proved. */
  readonly proved: Credentials | undefined;
}

/** The identity of an initiator that logs in, and the session that it asks for. */
export interface LoginIdentity extends SessionIdentity {
  /** Target session identifying handle of the session to join; 0 for a new one. */
  readonly tsih: number;
  readonly cid: number;
}

/** Returns whether the session is a discovery session (4.3). */
export function isDiscovery({ targetName }: SessionIdentity): boolean {
  return targetName === undefined;
}

/**
 * Reads the names and the session type from the first text of a login.
 *
 * @throws {ProtocolError} of kind `login`: a name is missing or malformed, or the session type is unknown
 */
export function readIdentity(
  keys: ReadonlyMap<string, string>,
  { isid, tsih, cid }: LoginRequest,
): LoginIdentity {
  const initiatorName = requiredName(keys, "InitiatorName", initiatorNameProblem);
  const common = { initiatorName, isid, tsih, cid, proved: undefined };
  if (sessionType(keys) === "Normal") {
    return {
      ...common,
      targetName: requiredName(keys, "TargetName", iscsiNameProblem),
      discoveredName: undefined,
    };
  }
  // An empty name names no target; some initiators send one for discovery.
  const discoveredName = keys.get("TargetName")
    ? requiredName(keys, "TargetName", iscsiNameProblem)
    : undefined;
  return { ...common, targetName: undefined, discoveredName };
}

/** Returns what the standard does not permit in a declared identity, although it can be used. */
export function findOddities(keys: ReadonlyMap<string, string>, { initiatorName }: LoginIdentity): string[] {
  return [
    ...(iscsiNameProblem(initiatorName) === undefined ? [] : ["its name has a form that RFC 7143 prohibits"]),
    ...(keys.get("TargetName") === "" ? ["its TargetName is empty"] : []),
  ];
}

function sessionType(keys: ReadonlyMap<string, string>): "Normal" | "Discovery" {
  const type = keys.get("SessionType") ?? "Normal";
  if (type === "Normal" || type === "Discovery") return type;
  throw loginFailed(LoginStatus.sessionTypeNotSupported, `SessionType ${quoted(type)} is not supported`);
}

function requiredName(
  keys: ReadonlyMap<string, string>,
  key: string,
  problemOf: (name: string) => string | undefined,
): string {
  const value = keys.get(key);
  if (value === undefined) throw loginFailed(LoginStatus.missingParameter, `Login Request has no ${key}`);
  const name = foldIscsiName(value);
  const problem = problemOf(name);
  if (problem === undefined) return name;
  throw loginFailed(LoginStatus.initiatorError, `${key} ${quoted(value)} is not an iSCSI name: ${problem}`);
}
