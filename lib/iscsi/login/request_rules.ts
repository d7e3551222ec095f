/** Rules for the header of Login Requests (RFC 7143, 11.12). */
import { type LoginRequest, LoginStage } from "../pdu/initiator_pdus.ts";
import { LoginStatus } from "../pdu/login_status.ts";
import { loginFailed, type ProtocolError } from "../pdu/protocol_error.ts";

/** The fields that stay the same throughout a login (11.12), by their names in the standard. */
const CONSTANT_FIELDS = { isid: "ISID", tsih: "TSIH", cid: "CID" } as const;

/** Returns the contradiction between a request and the first one of its login; undefined if there is none. */
export function findContradiction(first: LoginRequest, request: LoginRequest): ProtocolError | undefined {
  // 11.12.4: the first request carries the versions that the initiator supports.
  if (first.versionMin > 0) {
    return loginFailed(LoginStatus.unsupportedVersion, `Version ${first.versionMin} is not supported`);
  }
  for (const field of ["isid", "tsih", "cid"] as const) {
    if (request[field] !== first[field]) return fault(`Login Request changes its ${CONSTANT_FIELDS[field]}`);
  }
  return undefined;
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
