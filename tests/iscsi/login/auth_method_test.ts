/** The states of the negotiation of AuthMethod (RFC 7143, 12.1), without a connection. */
import { assertEquals, assertThrows } from "@std/assert";
import { AuthMethodNegotiation } from "../../../lib/iscsi/login/auth_method.ts";
import type { ChapTerms } from "../../../lib/iscsi/login/chap.ts";
import { loginRefused, ProtocolError } from "../../../lib/iscsi/pdu/protocol_error.ts";
import { LoginStatus } from "../../../lib/iscsi/pdu/login_status.ts";

const TERMS: ChapTerms = {
  accounts: new Map(),
  mutual: undefined,
  minimum: "md5",
  randomBytes: (length) => new Uint8Array(length),
  isOutstanding: () => false,
};

interface Scene {
  readonly negotiation: AuthMethodNegotiation;
  readonly overlooked: readonly string[];
}

function begin(chap?: ChapTerms, refusal?: ProtocolError): Scene {
  const overlooked: string[] = [];
  const admission = { chap, needlessChap: { ...TERMS, accounts: undefined }, refusal, alias: undefined };
  const note = (what: string): void => void overlooked.push(what);
  return { negotiation: new AuthMethodNegotiation(admission, "iqn.2000-01.a:b", note), overlooked };
}

Deno.test("propose() proposes CHAP once, and the proposal can be taken until a method is settled", () => {
  const { negotiation } = begin(TERMS);
  assertEquals(negotiation.isSelection(["AuthMethod", "CHAP"]), false);
  assertEquals(negotiation.propose(true), [["AuthMethod", "CHAP"]]);
  assertEquals(negotiation.propose(true), []);
  negotiation.answerSent();
  assertEquals(negotiation.propose(false), []);
  assertEquals(negotiation.isSelection(["AuthMethod", "CHAP"]), true);
  assertEquals(negotiation.isSelection(["AuthMethod", "None"]), false);
  assertEquals(negotiation.isSelection(["HeaderDigest", "CHAP"]), false);
  negotiation.settle("CHAP");
  assertEquals(negotiation.isSelection(["AuthMethod", "CHAP"]), false);
  assertEquals(negotiation.propose(false), []);
});

Deno.test("propose() proposes None only to an initiator that stays in the stage", () => {
  const { negotiation } = begin();
  assertEquals(negotiation.propose(true), []);
  assertEquals(negotiation.propose(false), [["AuthMethod", "None"]]);
});

Deno.test("mayLeave() holds an initiator back while CHAP is proposed or under way, and refuses it afterwards", () => {
  const { negotiation } = begin(TERMS);
  assertThrows(() => negotiation.mayLeave(), ProtocolError, "leaves the security stage without AuthMethod");
  negotiation.propose(true);
  assertEquals(negotiation.mayLeave(), false);
  negotiation.answerSent();
  assertThrows(() => negotiation.mayLeave(), ProtocolError, "leaves the security stage without AuthMethod");
  negotiation.settle("CHAP");
  assertEquals([negotiation.mayLeave(), negotiation.isProved], [false, false]);
});

Deno.test("settle() begins CHAP where nothing has to be proved, and logs that it is not checked", () => {
  const { negotiation, overlooked } = begin();
  assertEquals([negotiation.isProved, negotiation.mayLeave()], [true, true]);
  negotiation.settle("None");
  assertEquals([negotiation.isProved, overlooked], [true, []]);
  const insistent = begin();
  insistent.negotiation.settle("CHAP");
  assertEquals([insistent.negotiation.isProved, insistent.overlooked.length], [false, 1]);
});

Deno.test("refused() names the rule that would have refused the login besides", () => {
  const why = { reason: "target", rule: "there is no such target" } as const;
  const { negotiation } = begin(TERMS, loginRefused(LoginStatus.notFound, undefined, why));
  const { response } = negotiation.offerRefused("KRB5");
  assertEquals(response, {
    kind: "login",
    status: LoginStatus.authenticationFailure,
    reason: "authentication",
    rule: 'it offers AuthMethod="KRB5", but CHAP is required; also, there is no such target',
  });
});
