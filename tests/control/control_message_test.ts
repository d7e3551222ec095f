import { assertEquals, assertThrows } from "@std/assert";
import { ControlError } from "../../lib/control/control_error.ts";
import { decodeReply, decodeRequest, encodeLine, type Reply } from "../../lib/control/control_message.ts";
import { numberFromEnvironment, Random } from "../support/seeded_random.ts";

Deno.test("a request is a line, and is read back", () => {
  const line = encodeLine({ request: "status", parameters: { all: true } });
  assertEquals(line, '{"version":1,"request":"status","parameters":{"all":true}}\n');
  assertEquals(decodeRequest(line), { request: "status", parameters: { all: true } });
});

Deno.test("a reply is a line, and is read back", () => {
  const replies: readonly (readonly [Reply, string])[] = [
    [{ kind: "progress", message: "a\nb" }, '{"version":1,"kind":"progress","message":"a\\nb"}\n'],
    [{ kind: "result", result: null }, '{"version":1,"kind":"result","result":null}\n'],
    [{ kind: "error", message: "" }, '{"version":1,"kind":"error","message":""}\n'],
  ];
  for (const [reply, line] of replies) {
    assertEquals(encodeLine(reply), line);
    assertEquals(decodeReply(line), reply);
  }
});

Deno.test("a message that is not one is refused, with what is wrong with it", () => {
  const cases: readonly (readonly [(line: string) => unknown, string, string])[] = [
    [decodeRequest, "", "request is not an object"],
    [decodeRequest, "GET / HTTP/1.1", "request is not an object"],
    [decodeRequest, "[1]", "request is not an object"],
    [decodeRequest, "null", "request is not an object"],
    [decodeRequest, "{}", "request has version none, not 1 of the server's program: restart"],
    [decodeRequest, '{"version":2,"request":"status"}', "request has version 2, not 1"],
    [decodeRequest, '{"version":"1","request":"status"}', 'request has version "1", not 1'],
    [decodeRequest, '{"version":1,"request":7}', 'no text "request"'],
    [decodeReply, '{"version":2,"kind":"result","result":1}', "answer has version 2, not 1 of this program"],
    [decodeReply, '{"version":1,"kind":"result"}', "neither progress nor result nor error"],
    [decodeReply, '{"version":1,"kind":"error"}', "neither progress nor result nor error"],
    [decodeReply, '{"version":1,"kind":"toString"}', "neither progress nor result nor error"],
  ];
  for (const [decode, line, message] of cases) assertThrows(() => decode(line), ControlError, message);
});

Deno.test("no damage to a message does more than have it refused", () => {
  const seed = numberFromEnvironment("FUZZ_SEED", 20070101);
  const random = new Random(seed);
  const lines = [
    encodeLine({ request: "status", parameters: {} }),
    encodeLine({ kind: "result", result: [1, { a: "b" }] }),
  ];
  for (let round = 0; round < 2000; round++) {
    const characters = [...lines[round % 2]!];
    for (let damage = 0; damage <= round % 3; damage++) {
      const character = String.fromCharCode(0x20 + random.below(0x5f));
      characters[random.below(characters.length)] = character;
    }
    for (const decode of [decodeRequest, decodeReply]) {
      try {
        decode(characters.join(""));
      } catch (error) {
        assertEquals(
          error instanceof ControlError,
          true,
          `FUZZ_SEED=${seed}: ${characters.join("")}: ${error}`,
        );
      }
    }
  }
});
