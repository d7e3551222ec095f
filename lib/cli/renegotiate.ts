import type { NegotiationOutcome } from "../iscsi/negotiation/negotiation_request.ts";
import type { Context } from "./context.ts";
import { EXIT_CODES, type ExitCode } from "./exit_code.ts";
import type { OptionValues } from "./options.ts";
import { withSessions } from "./with_sessions.ts";
import type { RenegotiateReport } from "../control/control_requests.ts";

/** What has come of asking, in words. */
const OUTCOMES: Readonly<Record<NegotiationOutcome, string>> = {
  negotiated: "has been told",
  loggedOut: "is gone; it is told when it logs in again",
  silent: "does not answer, and goes on with what it knows",
};

/** `iscsi renegotiate`: has initiators told anew what a target says of itself. */
export function renegotiate(
  context: Context,
  options: OptionValues,
  [whom = ""]: readonly string[],
): Promise<ExitCode> {
  return withSessions(whom, {
    name: "renegotiate",
    objection: ({ targetName }) =>
      targetName === null ? "a discovery session has nothing to negotiate" : undefined,
    question: "Ask these initiators to negotiate? Many log out to do so, and in again.",
    goesOn: "the server goes on waiting for the initiators",
    request: (client, sessions, onProgress) => client.request("renegotiate", { sessions }, onProgress),
    tell,
  }, { context, options });
}

function tell({ sessions }: RenegotiateReport, { stdout }: Context): ExitCode {
  for (const { session, outcome } of sessions) stdout.write(`session ${session} ${OUTCOMES[outcome]}\n`);
  const isSilent = sessions.some(({ outcome }) => outcome === "silent");
  return isSilent ? EXIT_CODES.failed.code : EXIT_CODES.done.code;
}
