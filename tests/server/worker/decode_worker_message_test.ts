import { assertEquals, assertThrows } from "@std/assert";
import {
  decodeAnswer,
  decodeWorkerMessage,
  type WorkerMessage,
} from "../../../lib/server/worker/decode_worker_message.ts";
import { listOf, MalformedValue, text } from "../../../lib/server/decoder.ts";
import { decodeMetricsMessage } from "../../../lib/server/metrics/metrics_messages.ts";
import { decodeRelayMessage } from "../../../lib/server/relay/relay_control.ts";

/** One of each kind. */
const MESSAGES: readonly WorkerMessage[] = [
  { kind: "log", event: { level: "info", message: "a" } },
  {
    kind: "log",
    event: {
      level: "warning",
      message: "a",
      details: { event: "peerFault", peer: "10.0.0.1", initiator: "iqn.a", target: "t", reason: "limit" },
      repeats: 3,
    },
  },
  { kind: "listening", address: "::", port: 3260 },
  { kind: "ready", faults: ["none"] },
  { kind: "punch", id: 1, path: "/data/a\tb", ranges: [{ offset: 0, lengthBytes: 4096 }] },
  { kind: "closed", path: "/data/a" },
  { kind: "answered", id: 1, answer: null },
  { kind: "answered", id: 1, fault: "cannot" },
  { kind: "ending", files: ["/data/a"] },
  { kind: "stopped" },
  { kind: "failed", message: "a" },
  { kind: "crashed", message: "a" },
];

Deno.test("decodeWorkerMessage() takes a message of each kind as it is, without what it does not know", () => {
  for (const message of MESSAGES) {
    assertEquals(decodeWorkerMessage(message), message as unknown);
    assertEquals(decodeWorkerMessage({ ...message, more: "than known" }), message as unknown);
  }
});

Deno.test("decodeWorkerMessage() refuses what is no message, and says where and why", () => {
  const refused: readonly (readonly [message: unknown, reason: string])[] = [
    [undefined, "it is not an object"],
    ["stopped", "it is not an object"],
    [{}, ".kind is none of log,"],
    [{ kind: "constructor" }, ".kind is none of log,"],
    [{ kind: "log", event: { level: "loud", message: "a" } }, "log.event.level is none of error,"],
    [{ kind: "log", event: { level: "info", message: 1 } }, "log.event.message is not a text"],
    [
      { kind: "log", event: { level: "info", message: "a".repeat(65_537) } },
      "log.event.message is longer than",
    ],
    [
      { kind: "log", event: { level: "info", message: "a", details: {} } },
      "log.event.details.event is none of",
    ],
    [{ kind: "listening", address: "a", port: -1 }, "listening.port is not a whole number"],
    [{ kind: "ready" }, "ready.faults is not a list"],
    [{ kind: "ready", faults: [, "a"] }, "ready.faults[0] is not a text"],
    [{ kind: "punch", id: 1, path: "/a\u001b[2J", ranges: [] }, "punch.path is no path"],
    [
      { kind: "punch", id: 1, path: "/a", ranges: [{ offset: 0, lengthBytes: Infinity }] },
      "punch.ranges[0].lengthBytes is not a whole number",
    ],
    [{ kind: "punch", id: 1.5, path: "/a", ranges: [] }, "punch.id is not a whole number"],
    [{ kind: "ending", files: "a" }, "ending.files is not a list"],
    [{ kind: "failed" }, "failed.message is not a text"],
  ];
  for (const [message, reason] of refused) {
    assertThrows(() => decodeWorkerMessage(message), MalformedValue, reason);
  }
});

Deno.test("decodeWorkerMessage() writes out what could command a terminal", () => {
  const message = { kind: "failed", message: "a\u001b[2J\u009b\nb\u202ec" };
  assertEquals(decodeWorkerMessage(message) as unknown, {
    kind: "failed",
    message: "a\\u001b[2J\\u009b\\u000ab\\u202ec",
  });
});

Deno.test("decodeAnswer() takes nothing but the answer to a question", () => {
  assertEquals(decodeAnswer("clearReservations", null), null);
  const refused = [
    ["clearReservations", undefined, "clearReservations is not null"],
    ["snapshot", { sessions: [] }, "snapshot.targets is not a list"],
    ["disconnect", [1, "2"], "disconnect[1] is not a whole number"],
    [
      "preview",
      [{ description: "a", consequence: "none", sessions: [] }],
      "preview[0].consequence is none of",
    ],
  ] as const;
  for (const [kind, answer, reason] of refused) {
    assertThrows(() => decodeAnswer(kind, answer), MalformedValue, reason);
  }
});

Deno.test("listOf() takes no list that is longer than any can be", () => {
  const long = new Array(1_048_577).fill("");
  assertThrows(() => listOf(text)(long), MalformedValue, "more than 1048576 items");
});

Deno.test("decodeRelayMessage() and decodeMetricsMessage() take their messages, and no others", () => {
  const portal = { address: "10.0.0.1", port: 3260 };
  assertEquals(decodeRelayMessage({ kind: "listening", portal }), { kind: "listening", portal });
  assertThrows(
    () => decodeRelayMessage({ kind: "listening" }),
    MalformedValue,
    "listening.portal is not an object",
  );
  assertThrows(() => decodeRelayMessage({ kind: "wanted" }), MalformedValue);
  assertEquals(decodeMetricsMessage({ kind: "wanted" }), { kind: "wanted" });
  assertThrows(
    () => decodeMetricsMessage({ kind: "failed" }),
    MalformedValue,
    "failed.message is not a text",
  );
});
