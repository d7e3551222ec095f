import type { RenegotiateReport, RenegotiateRequest, RequestContext } from "../control/control_requests.ts";
import { Limits } from "../iscsi/limits.ts";
import type { Supervisor } from "./supervisor.ts";

/** How long initiators may take: they are asked again when they have not answered. */
const WAIT_SECONDS = Limits.negotiationSeconds * Limits.negotiationAsks;

/** How long the answer may take after that. */
const PATIENCE_SECONDS = 5;

/** Has initiators asked to negotiate, and waits until they have, or will not. */
export async function renegotiate(
  supervisor: Supervisor,
  { sessions }: RenegotiateRequest,
  { progress }: RequestContext,
): Promise<RenegotiateReport> {
  progress(`Waiting for the initiators, ${WAIT_SECONDS} s at most`);
  const limitMs = (WAIT_SECONDS + PATIENCE_SECONDS) * 1000;
  return { sessions: await supervisor.ask({ kind: "renegotiate", sessions }, limitMs) };
}
