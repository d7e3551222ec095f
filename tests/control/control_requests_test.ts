import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { ControlError } from "../../lib/control/control_error.ts";
import { CONTROL_REQUESTS, performRequest, requestNameOf } from "../../lib/control/control_requests.ts";
import { handlersWith } from "./_handlers.ts";

const CONTEXT = { progress: () => {}, signal: new AbortController().signal };

Deno.test("the parameters of a request are checked before anybody acts on them", () => {
  const { status, disconnect, clearReservations, trim } = CONTROL_REQUESTS;
  assertEquals(status.decode({}), {});
  assertEquals(disconnect.decode({ sessions: [1, 2], now: false }), { sessions: [1, 2], now: false });
  assertEquals(clearReservations.decode({ target: "a", lun: 0 }), { target: "a", lun: 0 });
  for (const bytesPerSecond of [null, 1, 2 ** 40]) {
    assertEquals(trim.decode({ target: "a", lun: 0, bytesPerSecond }), {
      target: "a",
      lun: 0,
      bytesPerSecond,
    });
  }
  const wrong: readonly (readonly [(parameters: unknown) => unknown, readonly unknown[]])[] = [
    [status.decode, [undefined, null, [], "{}", { all: true }]],
    [disconnect.decode, [{}, { sessions: [1] }, { sessions: ["1"], now: true }, { sessions: 1, now: true }, {
      sessions: [1.5],
      now: true,
    }]],
    [clearReservations.decode, [{}, { target: "a" }, { target: "a", lun: "0" }, { target: 1, lun: 0 }]],
    [trim.decode, [
      { target: "a", lun: 0 },
      { target: "a", bytesPerSecond: null },
      ...[0, -1, NaN, Infinity, "1"].map((bytesPerSecond) => ({ target: "a", lun: 0, bytesPerSecond })),
    ]],
  ];
  for (const [decode, values] of wrong) {
    for (const value of values) {
      assertThrows(() => decode(value), ControlError, undefined, JSON.stringify(value));
    }
  }
});

Deno.test("a request is performed by its handler, and by nobody when it is wrong", async () => {
  const asked: unknown[] = [];
  const handlers = handlersWith({
    clearReservations: (unit) => {
      asked.push(unit);
      return Promise.resolve(null);
    },
  });
  const name = requestNameOf({ request: "clearReservations", parameters: {} });
  const unit = { target: "a", lun: 1 };
  assertEquals(await performRequest(name, { ...unit, more: true }, handlers, CONTEXT), null);
  await assertRejects(() => performRequest(name, {}, handlers, CONTEXT), ControlError);
  assertEquals(asked, [unit]);
  for (const request of ["", "Status", "toString", "__proto__"]) {
    assertThrows(() => requestNameOf({ request, parameters: {} }), ControlError, "There is no request");
  }
});
