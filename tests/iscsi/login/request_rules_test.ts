/** The rules for the header of Login Requests (RFC 7143, 11.12), without a connection. */
import { assertEquals } from "@std/assert";
import {
  findContradiction,
  findHarmlessChanges,
  findStageFault,
} from "../../../lib/iscsi/login/request_rules.ts";
import { type LoginRequest, LoginStage } from "../../../lib/iscsi/pdu/initiator_pdus.ts";

const FIRST: LoginRequest = {
  kind: "loginRequest",
  transit: false,
  continued: false,
  currentStage: LoginStage.security,
  nextStage: LoginStage.security,
  versionMin: 0,
  isid: 1,
  tsih: 2,
  initiatorTaskTag: 3,
  cid: 4,
  cmdSN: 5,
  expStatSN: 6,
  data: new Uint8Array(),
};

Deno.test("findContradiction() compares the ISID with that of the first request, and nothing else", () => {
  const rows = [
    [{}, undefined],
    [{ cmdSN: 9, expStatSN: 9, initiatorTaskTag: 9, versionMin: 9, tsih: 9, cid: 9 }, undefined],
    [{ isid: 9 }, "Login Request changes its ISID"],
  ] as const;
  for (const [changes, message] of rows) {
    assertEquals(findContradiction(FIRST, { ...FIRST, ...changes })?.message, message);
  }
  const late = { ...FIRST, versionMin: 1 };
  assertEquals(findContradiction(late, FIRST)?.message, "Version 1 is not supported");
});

Deno.test("findHarmlessChanges() returns a sentence for each of the fields on which nothing depends", () => {
  assertEquals(findHarmlessChanges(FIRST, { ...FIRST, cmdSN: 9, expStatSN: 9, versionMin: 9 }), []);
  assertEquals(findHarmlessChanges(FIRST, { ...FIRST, initiatorTaskTag: 9, tsih: 9, cid: 9 }), [
    "a Login Request changes its initiator task tag",
    "a Login Request changes its TSIH",
    "a Login Request changes its CID",
  ]);
});

Deno.test("findStageFault() allows every transition to a later stage, and no other", () => {
  const allowed: string[] = [];
  for (const stage of [0, 1, 2, 3]) {
    for (const nextStage of [0, 1, 2, 3]) {
      const request = { ...FIRST, transit: true, currentStage: stage, nextStage };
      if (findStageFault(request, stage) === undefined) allowed.push(`${stage} to ${nextStage}`);
      const other = { ...request, currentStage: stage === 0 ? 1 : 0 };
      assertEquals(
        findStageFault(other, stage)?.message,
        `Login Request is in stage ${other.currentStage}, not ${stage}`,
      );
    }
  }
  assertEquals(allowed, ["0 to 1", "0 to 3", "1 to 3"]);
});

Deno.test("findStageFault() ignores NSG without T, and refuses T with C", () => {
  const nextStage = LoginStage.operational;
  assertEquals(findStageFault({ ...FIRST, nextStage: 2, continued: true }, 0), undefined);
  const both = { ...FIRST, transit: true, continued: true, nextStage };
  assertEquals(findStageFault(both, 0)?.message, "Login Request sets both T and C");
});
