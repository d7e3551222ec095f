/** Rules for the header of Login Requests (RFC 7143, 11.12). */
import { type LoginRequest, LoginStage } from "../pdu/initiator_pdus.ts";
import { LoginStatus } from "../pdu/login_status.ts";
import { loginFailed, type ProtocolError } from "../pdu/protocol_error.ts";

/**
 * Fields that stay the same throughout a login, but may change without harm, by their names in messages. The target
 * uses TSIH and CID of the first request (11.12.6, 11.12.7), and nothing depends on the task tag.
 */
const HARMLESS_FIELDS = { initiatorTaskTag: "initiator task tag", tsih: "TSIH", cid: "CID" } as const;

/** Returns the fields that a request has changed without harm, as sentences. */
export function findHarmlessChanges(first: LoginRequest, request: LoginRequest): string[] {
  return (["initiatorTaskTag", "tsih", "cid"] as const)
    .filter((field) => request[field] !== first[field])
    .map((field) => `a Login Request changes its ${HARMLESS_FIELDS[field]}`);
}

/** Returns the contradiction between a request and the first one of its login; undefined if there is none. */
export function findContradiction(first: LoginRequest, request: LoginRequest): ProtocolError | undefined {
  // 11.12.4: the first request carries the versions that the initiator supports.
  if (first.versionMin > 0) {
    return loginFailed(LoginStatus.unsupportedVersion, `Version ${first.versionMin} is not supported`);
  }
  return request.isid === first.isid ? undefined : fault("Login Request changes its ISID");
}

/** Returns the rule of stages (11.12.1 to 11.12.3) that a request in the stage `stage` breaks, if any. */
export function findStageFault(request: LoginRequest, stage: number): ProtocolError | undefined {
  const { currentStage, nextStage, transit, continued } = request;
  const isStage = currentStage === LoginStage.security || currentStage === LoginStage.operational;
  if (!isStage || currentStage !== stage) {
    return fault(`Login Request is in stage ${currentStage}, not ${stage}`);
  }
  if (!transit) return undefined;
  if (continued) return fault("Login Request sets both T and C");
  const isNext = nextStage === LoginStage.operational || nextStage === LoginStage.fullFeature;
  if (isNext && nextStage > currentStage) return undefined;
  return fault(`Login Request asks for a transition from stage ${currentStage} to ${nextStage}`);
}

function fault(message: string): ProtocolError {
  return loginFailed(LoginStatus.initiatorError, message);
}
