import { assert, assertEquals } from "@std/assert";
import { CommandWindow, HELD_FRAME_BYTES } from "../../../lib/iscsi/session/command_window.ts";
import type { CommandReceiver } from "../../../lib/iscsi/session/held_requests.ts";
import { Limits } from "../../../lib/iscsi/limits.ts";
import { serialAdd } from "../../../lib/bytes/serial_number.ts";
import type { Frame } from "../../../lib/iscsi/pdu/header.ts";

const WIDTH = Limits.commandWindow;

function frame(byte = 0, dataBytes = 0): Frame {
  const data = new Uint8Array(dataBytes).fill(byte);
  return { header: new Uint8Array(48).fill(byte), data, hasDataDigestError: false };
}

/** Two connections that commands may come over. */
const HERE: CommandReceiver = { hasRoom: true, carryOut: () => {}, wake: () => {} };
const THERE: CommandReceiver = { hasRoom: true, carryOut: () => {}, wake: () => {} };

/** Starts where the numbers are plain, and where they wrap in the middle of the window. */
for (const start of [1, 0xffffffc0]) {
  const at = (offset: number): number => serialAdd(start, offset);

  Deno.test(`CommandWindow from ${start} places numbers`, () => {
    const window = new CommandWindow(start);
    assertEquals([window.expCmdSN, window.maxCmdSN], [start, at(WIDTH - 1)]);
    assertEquals(window.place(at(0)), "next");
    assertEquals(window.place(at(1)), "early");
    assertEquals(window.place(at(WIDTH - 1)), "early");
    for (const offset of [-1, -1000, WIDTH, 1000, 0x7fffffff]) {
      assertEquals(window.place(at(offset)), "outside");
    }
  });

  Deno.test(`CommandWindow from ${start} takes nothing when it is closed`, () => {
    const window = new CommandWindow(start);
    for (let count = 0; count < WIDTH; count++) window.advance();
    window.open(WIDTH);
    assertEquals([window.expCmdSN, window.maxCmdSN], [at(WIDTH), at(WIDTH - 1)]);
    assertEquals(window.place(at(WIDTH)), "outside");
    window.open(WIDTH - 1);
    assertEquals(window.place(at(WIDTH)), "next");
    assertEquals(window.place(at(WIDTH + 1)), "outside");
  });

  Deno.test(`CommandWindow from ${start} releases held commands in their order`, () => {
    const window = new CommandWindow(start);
    for (const offset of [3, 1, 2, 5]) window.hold(at(offset), 100 + offset, frame(offset), HERE);
    assertEquals(window.release(), undefined);
    window.advance();
    for (const offset of [1, 2, 3]) {
      const held = window.release()!;
      assertEquals([held.initiatorTaskTag, held.frames[0]!.header[0]], [100 + offset, offset]);
      window.advance();
    }
    assertEquals(window.release(), undefined);
  });

  Deno.test(`CommandWindow from ${start} skips the numbers of cancelled commands`, () => {
    const window = new CommandWindow(start);
    window.hold(at(3), 103, frame(), HERE);
    assert(window.cancel(at(1)));
    assert(window.cancel(at(2)));
    window.advance();
    assertEquals(window.release()!.initiatorTaskTag, 103);
    assertEquals(window.expCmdSN, at(3));
  });
}

Deno.test("open() never takes back what was given", () => {
  const window = new CommandWindow(10);
  const before = window.maxCmdSN;
  for (const outstanding of [WIDTH, 1, 0, 64]) {
    window.open(outstanding);
    assertEquals(window.maxCmdSN, before);
  }
  window.advance();
  window.open(0);
  assertEquals(window.maxCmdSN, before + 1);
  window.open(1);
  assertEquals(window.maxCmdSN, before + 1);
});

Deno.test("hold() keeps a copy, and of two commands with one number the first", () => {
  const window = new CommandWindow(0);
  const original = frame(7, 3);
  window.hold(1, 70, original, HERE);
  original.header.fill(0);
  original.data.fill(0);
  window.hold(1, 71, frame(8), HERE);
  window.advance();
  const held = window.release()!;
  assertEquals(held.initiatorTaskTag, 70);
  assertEquals([held.frames.length, held.frames[0]!.header[0], [...held.frames[0]!.data]], [1, 7, [7, 7, 7]]);
});

Deno.test("holdData() keeps data for a held command only", () => {
  const window = new CommandWindow(0);
  assert(!window.holdData(70, frame(), HERE));
  window.hold(1, 70, frame(1), HERE);
  assert(window.holdData(70, frame(2, 5), HERE));
  assert(window.holdData(70, frame(3, 5), HERE));
  assert(!window.holdData(71, frame(), HERE));
  window.advance();
  assertEquals(window.release()!.frames.map(({ header }) => header[0]), [1, 2, 3]);
});

Deno.test("cancel() takes a number of the window once sent or not, and none outside", () => {
  const window = new CommandWindow(100);
  assert(!window.cancel(99));
  assert(!window.cancel(100 + WIDTH));
  assert(window.cancel(100 + WIDTH - 1));
  window.hold(101, 7, frame(), HERE);
  assert(window.cancel(101));
  assert(!window.holdData(7, frame(), HERE));
});

Deno.test("what is held is bounded, and what was released makes room", () => {
  const window = new CommandWindow(0);
  const piece = 262_144;
  const fits = Math.floor(Limits.heldCommandBytes / (piece + 48 + HELD_FRAME_BYTES));
  for (let round = 0; round < 3; round++) {
    const base = window.expCmdSN;
    window.hold(base + 1, 1, frame(0, piece), HERE);
    for (let count = 1; count < fits; count++) assert(window.holdData(1, frame(0, piece), HERE));
    if (round === 1) assert(window.cancel(base + 1));
    window.advance();
    if (round !== 1) {
      assertEquals(window.release()!.frames.length, fits);
      window.advance();
    }
  }
  window.release();
  window.hold(window.expCmdSN + 1, 1, frame(0, piece), HERE);
  for (let count = 1; count < fits; count++) window.holdData(1, frame(0, piece), HERE);
  assert(!window.isFull);
  window.holdData(1, frame(0, piece), HERE);
  assert(window.isFull);
  window.forget(HERE);
  assert(!window.isFull);
});

Deno.test("a command is held for its connection, and only that can add to it or take it away", () => {
  const window = new CommandWindow(0);
  window.hold(2, 70, frame(2), HERE);
  window.hold(1, 71, frame(1), THERE);
  assert(!window.holdData(70, frame(), THERE));
  assertEquals([window.holdsFor(HERE), window.holdsFor(THERE)], [true, true]);
  window.forget(HERE);
  assertEquals([window.holdsFor(HERE), window.holdsFor(THERE)], [false, true]);
  window.advance();
  assertEquals(window.release()!.receiver, THERE);
  window.advance();
  // The number of the command that is gone stays open: the initiator sends it again, over another connection.
  assertEquals([window.release(), window.expCmdSN, window.place(2)], [undefined, 2, "next"]);
});

Deno.test("what waits behind a number is released when all before it has come, and before it itself", () => {
  const window = new CommandWindow(0xfffffffe);
  window.holdBehind(1, 80, frame(8), HERE);
  window.holdBehind(1, 81, frame(9), THERE);
  for (const cmdSN of [0xffffffff, 0, 1]) window.hold(cmdSN, 70 + cmdSN % 8, frame(cmdSN), HERE);
  assertEquals([window.release(), window.heldBehind], [undefined, 2]);
  const released: number[] = [];
  for (let count = 0; count < 4; count++) {
    window.advance();
    for (let held = window.release(); held !== undefined; held = window.release()) {
      released.push(held.initiatorTaskTag);
      if (held.initiatorTaskTag < 80) break;
    }
  }
  assertEquals(released, [77, 70, 80, 81, 71]);
  assertEquals(window.heldBehind, 0);
});

Deno.test("what waits behind a number comes out, too, when those before it are cancelled", () => {
  const window = new CommandWindow(5);
  window.holdBehind(7, 80, frame(), HERE);
  window.plug(7);
  assertEquals(window.release()!.initiatorTaskTag, 80);
  assertEquals([window.expCmdSN, window.release()], [7, undefined]);
});

Deno.test("what waits behind a number goes with its connection, and takes up room", () => {
  const window = new CommandWindow(0);
  window.holdBehind(1, 80, frame(0, Limits.heldCommandBytes), HERE);
  window.holdBehind(1, 81, frame(), THERE);
  assert(window.isFull);
  window.forget(HERE);
  assertEquals([window.isFull, window.heldBehind], [false, 1]);
  window.advance();
  assertEquals(window.release()!.initiatorTaskTag, 81);
});

Deno.test("isAhead() knows numbers that the window could have come to", () => {
  const window = new CommandWindow(0xfffffff0);
  const places = [0xffffffef, 0xfffffff0, 0xfffffff1, WIDTH - 16, WIDTH - 15, 0x7fffffff];
  assertEquals(places.map((cmdSN) => window.isAhead(cmdSN)), [false, false, true, true, false, false]);
});

Deno.test("retreat() opens the number again that was taken up last, and takes back nothing that was given", () => {
  const window = new CommandWindow(0xffffffff);
  const last = WIDTH - 2;
  for (let round = 0; round < 3; round++) {
    window.advance();
    window.open(0);
    window.retreat();
    assertEquals([window.expCmdSN, window.maxCmdSN], [0xffffffff, last + 1]);
  }
  assertEquals([window.place(0xffffffff), window.place(0)], ["next", "early"]);
  // As far as the initiator's numbers can have come.
  assertEquals([window.isAhead(last + 2), window.isAhead(last + 3)], [true, false]);
  window.hold(0, 70, frame(), HERE);
  assertEquals(window.release(), undefined, "what is behind waits");
  window.advance();
  assertEquals(window.release()!.initiatorTaskTag, 70);
});

Deno.test("isFilled() knows numbers that are held, or were cancelled", () => {
  const window = new CommandWindow(0);
  window.hold(2, 70, frame(), HERE);
  window.cancel(3);
  assertEquals([0, 1, 2, 3, 4].map((cmdSN) => window.isFilled(cmdSN)), [false, false, true, true, false]);
});

Deno.test("plug() uses up every number before, held or not, and leaves the others", () => {
  const window = new CommandWindow(0);
  for (const cmdSN of [1, 4]) window.hold(cmdSN, cmdSN, frame(), HERE);
  window.plug(3);
  window.plug(1000);
  assertEquals([window.release(), window.expCmdSN], [undefined, 3]);
  window.advance();
  assertEquals(window.release()!.initiatorTaskTag, 4);
});

Deno.test("PDUs that are held count as what they take in memory, and not as the few bytes that they have", () => {
  const window = new CommandWindow(0);
  window.hold(1, 1, frame(), HERE);
  const fits = Math.floor(Limits.heldCommandBytes / (48 + HELD_FRAME_BYTES));
  for (let count = 1; count < fits; count++) assert(window.holdData(1, frame(), HERE));
  assert(!window.isFull);
  assert(window.holdData(1, frame(), HERE));
  assert(window.isFull);
});

Deno.test("release() leaves a command held while its connection has no room, and those behind it", () => {
  const window = new CommandWindow(0);
  const crowded = { ...HERE, hasRoom: true };
  window.hold(1, 71, frame(), crowded);
  window.hold(2, 72, frame(), THERE);
  assertEquals([window.release(), window.isStalled], [undefined, false]);
  window.advance();
  crowded.hasRoom = false;
  assertEquals([window.release(), window.isStalled], [undefined, true]);
  crowded.hasRoom = true;
  assertEquals(window.release()!.initiatorTaskTag, 71);
  window.advance();
  assertEquals(window.release()!.initiatorTaskTag, 72);
  assertEquals([window.release(), window.isStalled], [undefined, false]);
});

Deno.test("release() passes on task management requests that waited for a command, room or no room", () => {
  const window = new CommandWindow(0);
  window.holdBehind(1, 80, frame(), { ...HERE, hasRoom: false });
  window.advance();
  assertEquals(window.release()!.initiatorTaskTag, 80);
});
