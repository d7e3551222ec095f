import { assert, assertEquals, assertThrows } from "@std/assert";
import { FrameBuffer, frameBytesMax } from "../../../lib/iscsi/wire/framing.ts";
import { ProtocolError } from "../../../lib/iscsi/pdu/protocol_error.ts";
import { writeUint24 } from "../../../lib/bytes/big_endian.ts";
import { joinBytes } from "../../support/initiator_text.ts";
import { BASIC_HEADER_BYTES, paddedLength } from "../../../lib/iscsi/pdu/header.ts";

/** A PDU as it is on the wire, recognizable by `seed`: additional header of so many words, data of so many bytes. */
function makePdu(seed: number, words: number, dataBytes: number): Uint8Array {
  const bytes = new Uint8Array(BASIC_HEADER_BYTES + words * 4 + paddedLength(dataBytes)).fill(seed);
  bytes[4] = words;
  writeUint24(bytes, 5, dataBytes);
  bytes.fill(0, BASIC_HEADER_BYTES + words * 4 + dataBytes);
  return bytes;
}

/** Puts bytes into the buffer as a socket would, at most `pieceBytes` at a time, and collects the PDUs. */
function feed(frames: FrameBuffer, bytes: Uint8Array, pieceBytes: number): Uint8Array[] {
  const pdus: Uint8Array[] = [];
  for (let offset = 0; offset < bytes.length;) {
    const space = frames.space();
    assert(space.length > 0, "there is always space");
    const count = Math.min(pieceBytes, space.length, bytes.length - offset);
    space.set(bytes.subarray(offset, offset + count));
    frames.received(count);
    offset += count;
    for (let frame = frames.next(); frame !== undefined; frame = frames.next()) {
      pdus.push(joinBytes([frame.header, frame.data]));
    }
  }
  return pdus;
}

/** Returns a PDU without the padding of its data segment. */
function withoutPadding(pdu: Uint8Array): Uint8Array {
  const dataBytes = pdu[5]! << 16 | pdu[6]! << 8 | pdu[7]!;
  return pdu.subarray(0, BASIC_HEADER_BYTES + pdu[4]! * 4 + dataBytes);
}

const SHAPES = [[0, 0], [0, 1], [0, 4], [2, 0], [1, 7], [255, 8192], [0, 8191], [0, 0], [0, 3], [5, 512]];

for (const pieceBytes of [1, 7, 48, 49, 1000, 100_000]) {
  Deno.test(`FrameBuffer hands out every PDU of a stream that comes in pieces of ${pieceBytes}`, () => {
    const pdus = SHAPES.map(([words, dataBytes], index) => makePdu(index + 1, words!, dataBytes!));
    const frames = new FrameBuffer(frameBytesMax(8192), 8192);
    assertEquals(feed(frames, joinBytes(pdus), pieceBytes), pdus.map(withoutPadding));
    assertEquals(frames.next(), undefined);
  });
}

Deno.test("FrameBuffer hands out a PDU with its last byte of padding and not before", () => {
  const pdu = makePdu(9, 1, 5);
  const frames = new FrameBuffer(frameBytesMax(64), 64);
  assertEquals(feed(frames, pdu.subarray(0, -1), 13), []);
  assertEquals(feed(frames, pdu.subarray(-1), 13), [withoutPadding(pdu)]);
});

Deno.test("FrameBuffer hands out many PDUs of one read", () => {
  const pdus = Array.from({ length: 100 }, (_, index) => makePdu(index, 0, index % 5));
  const frames = new FrameBuffer(16_384, 8192);
  assertEquals(feed(frames, joinBytes(pdus), 16_384), pdus.map(withoutPadding));
});

Deno.test("FrameBuffer of the smallest capacity goes on for ever with the largest PDU", () => {
  const frames = new FrameBuffer(frameBytesMax(512), 512);
  const pdu = makePdu(5, 255, 512);
  for (let round = 0; round < 50; round++) {
    const small = makePdu(6, 0, round);
    assertEquals(feed(frames, joinBytes([small, pdu]), 700), [withoutPadding(small), withoutPadding(pdu)]);
  }
});

Deno.test("FrameBuffer takes the longest data segment and refuses one that is a byte longer", () => {
  const frames = new FrameBuffer(frameBytesMax(1000), 1000);
  assertEquals(feed(frames, makePdu(1, 0, 1000), 5000).length, 1);
  const error = assertThrows(() => feed(frames, makePdu(1, 0, 1001), 5000), ProtocolError);
  assertEquals(error.response.kind, "close");
});

Deno.test("FrameBuffer refuses a lying length as soon as the header is there", () => {
  for (const additionalWords of [0, 32, 255]) {
    const frames = new FrameBuffer(frameBytesMax(8192), 8192);
    const header = makePdu(3, 0, 0);
    header[4] = additionalWords;
    writeUint24(header, 5, 0xffffff);
    assertEquals(feed(frames, header.subarray(0, 47), 47), []);
    assertThrows(() => feed(frames, header.subarray(47), 1), ProtocolError, "16777215");
  }
});

Deno.test("resize() keeps what was received and takes longer PDUs from then on", () => {
  const first = makePdu(1, 0, 100);
  const second = makePdu(2, 3, 200);
  const long = makePdu(3, 0, 5000);
  const stream = joinBytes([first, second, long]);
  for (let cut = first.length; cut <= first.length + second.length; cut += 13) {
    const frames = new FrameBuffer(frameBytesMax(512), 512);
    const space = frames.space();
    space.set(stream.subarray(0, cut));
    frames.received(cut);
    assertEquals(frames.next()!.data.length, 100);
    frames.resize(frameBytesMax(8192), 8192);
    const pdus: Uint8Array[] = [];
    for (let frame = frames.next(); frame !== undefined; frame = frames.next()) {
      pdus.push(joinBytes([frame.header, frame.data]));
    }
    pdus.push(...feed(frames, stream.subarray(cut), 999));
    assertEquals(pdus, [withoutPadding(second), withoutPadding(long)]);
  }
});

Deno.test("paddedLength() is the next multiple of four", () => {
  assertEquals([0, 1, 2, 3, 4, 5, 0xffffff].map(paddedLength), [0, 4, 4, 4, 4, 8, 0x1000000]);
});

Deno.test("release() drops what was received, and its memory", () => {
  const frames = new FrameBuffer(frameBytesMax(8192), 8192);
  frames.space().set(makePdu(1, 0, 0));
  frames.received(BASIC_HEADER_BYTES);
  frames.release();
  assertEquals([frames.next(), frames.space().buffer.byteLength], [undefined, 0]);
});
