/** Digests in their places (RFC 7143, 11.2.3): every combination of the two, and every bit of a PDU. */
import { assert, assertEquals, assertLess, assertThrows } from "@std/assert";
import { Digests } from "../../../lib/iscsi/wire/digests.ts";
import { FrameBuffer, frameBytesMax } from "../../../lib/iscsi/wire/framing.ts";
import { ProtocolError } from "../../../lib/iscsi/pdu/protocol_error.ts";
import { read10, testUnitReady, write10 } from "../../support/initiator_cdb.ts";
import { DIGEST_USES, digestKeys, type DigestUse, withDigests } from "../../support/initiator_digest.ts";
import { nopOut, type RequestPdu, scsiCommand } from "../../support/initiator_request.ts";
import { ScsiStatus } from "../../support/initiator_sense.ts";
import { joinBytes } from "../../support/initiator_text.ts";
import { MemoryStore } from "../../support/memory_store.ts";
import { nameOf, withHarness } from "../../support/harness.ts";
import type { Frame } from "../../../lib/iscsi/pdu/header.ts";
import { assertSameBytes, contentOf, pattern } from "../../support/content.ts";

function describe({ header, data }: DigestUse): string {
  return `${header ? "a" : "no"} header digest and ${data ? "a" : "no"} data digest`;
}

const NUMBERS = { initiatorTaskTag: 0x11, cmdSn: 7, expStatSn: 3 };

/** A command with an additional header segment and 5 bytes of immediate data: it has every part that a PDU can have. */
const COMMAND: RequestPdu = scsiCommand({
  ...NUMBERS,
  isFinal: true,
  reads: false,
  writes: true,
  lun: 1,
  expectedLength: 5,
  cdb: Uint8Array.from({ length: 32 }, (_, index) => index + 0x7f),
  data: pattern(5),
});

/** A PDU without data, one with little and one with much. */
const PINGS: readonly RequestPdu[] = [0, 1, 8192].map((length) =>
  nopOut({ ...NUMBERS, lun: 0, data: pattern(length) })
);

const DIGESTS = new Map(
  DIGEST_USES.map((use) => [use, new Digests({ headerDigest: use.header, dataDigest: use.data })]),
);
const BOTH = DIGEST_USES.at(-1)!;

/** Returns the size of the address space of this process in bytes. */
function addressSpaceBytes(): number {
  return Number(/^VmSize:\s*(\d+) kB$/m.exec(Deno.readTextFileSync("/proc/self/status"))![1]) * 1024;
}

Deno.test("connections with a data digest take no address space of their own", () => {
  const before = addressSpaceBytes();
  const many = Array.from({ length: 64 }, () => new Digests({ headerDigest: true, dataDigest: true }));
  assertEquals(many.length, 64);
  // A WebAssembly memory takes 4 GiB.
  assertLess(addressSpaceBytes() - before, 1024 ** 3);
});

function frameBufferFor(use: DigestUse): FrameBuffer {
  const frames = new FrameBuffer(frameBytesMax(8192), 8192);
  frames.expectDigests(DIGESTS.get(use)!);
  return frames;
}

/** Puts bytes into a buffer as a socket would, and collects what comes out, copied. */
function feed(frames: FrameBuffer, bytes: Uint8Array, pieceBytes = bytes.length): Frame[] {
  const taken: Frame[] = [];
  for (let offset = 0; offset < bytes.length;) {
    const space = frames.space();
    const count = Math.min(pieceBytes, space.length, bytes.length - offset);
    space.set(bytes.subarray(offset, offset + count));
    frames.received(count);
    offset += count;
    for (let frame = frames.next(); frame !== undefined; frame = frames.next()) {
      taken.push({ ...frame, header: frame.header.slice(), data: frame.data.slice() });
    }
  }
  return taken;
}

/** A frame as it should come out of a PDU. */
function frameOf({ header, ahs, data }: RequestPdu): Frame {
  return { header: joinBytes([header, ahs]), data, hasDataDigestError: false };
}

for (const use of DIGEST_USES) {
  for (const pieceBytes of [1, 7, 52, 1000, 100_000]) {
    Deno.test(`FrameBuffer takes ${describe(use)}, in pieces of ${pieceBytes}`, () => {
      const pdus = [...PINGS, COMMAND, ...PINGS.toReversed(), COMMAND];
      const stream = joinBytes(pdus.map((pdu) => withDigests(pdu.encode(), use)));
      assertEquals(feed(frameBufferFor(use), stream, pieceBytes), pdus.map(frameOf));
    });
  }

  Deno.test(`a session has ${describe(use)}, whatever it does`, () =>
    withHarness({}, async (harness) => {
      const initiator = await harness.logIn({ keys: digestKeys(use) });
      const data = pattern(600 * 512);
      await initiator.command({ cdb: write10(3, 600), write: data });
      const { data: read } = await initiator.command({ cdb: read10(3, 600), read: data.length });
      await assertSameBytes(read, data);
      for (const length of [0, 1, 2, 3, 4, 8192]) await initiator.nop(pattern(length));
      assertEquals(await initiator.text([["X-a.b", "1"]]), [["X-a.b", "NotUnderstood"]]);
      assertEquals(await initiator.logout(), 0);
    }));

  Deno.test(`a discovery session has ${describe(use)}`, () =>
    withHarness({}, async (harness) => {
      const initiator = harness.connect();
      await initiator.login({ keys: digestKeys(use) });
      assertEquals((await initiator.sendTargets()).map(({ name }) => name), [nameOf()]);
    }));
}

Deno.test("a session with both digests works a byte at a time", () =>
  withHarness({}, async (harness) => {
    const keys = digestKeys({ header: true, data: true });
    const initiator = await harness.logIn({ keys }, { deliveryBytesMax: 1 });
    const data = pattern(1024);
    await initiator.command({ cdb: write10(0, 2), write: data });
    const { data: read } = await initiator.command({ cdb: read10(0, 2), read: data.length });
    assertEquals(read, data);
  }));

Deno.test("the digests are those that the initiator prefers, each connection for itself", () =>
  withHarness({}, async (harness) => {
    const offers = [["CRC32C,None", "CRC32C"], ["None,CRC32C", "None"], ["None", "None"]] as const;
    for (const [index, [offer, settled]] of offers.entries()) {
      const initiator = harness.connect();
      const isid = Uint8Array.of(0x80, 0, 0, 0, 0, index);
      const keys = { HeaderDigest: offer, DataDigest: undefined };
      const { answered } = await initiator.login({ targetName: nameOf(), isid, keys });
      assertEquals(new Map(answered).get("HeaderDigest"), settled);
      await initiator.nop(pattern(9));
    }
  }));

/** Bits of a PDU, as the byte that they are in and what to XOR to it. */
function* bitsOf(bytes: Uint8Array): Generator<readonly [index: number, mask: number]> {
  for (let bit = 0; bit < bytes.length * 8; bit++) yield [bit >> 3, 1 << (bit & 7)];
}

const HEADER_BYTES = 48 + COMMAND.ahs.length + 4;

Deno.test("FrameBuffer finds every single wrong bit of a header and its digest", () => {
  const bytes = withDigests(COMMAND.encode(), BOTH);
  for (const [index, mask] of bitsOf(bytes.subarray(0, HEADER_BYTES))) {
    bytes[index]! ^= mask;
    // A wrong TotalAHSLength looks for the digest elsewhere, up to 1020 bytes further.
    const stream = joinBytes([
      bytes,
      ...new Array<Uint8Array>(20).fill(withDigests(PINGS[1]!.encode(), BOTH)),
    ]);
    const error = assertThrows(
      () => feed(frameBufferFor(BOTH), stream),
      ProtocolError,
      "Header digest error",
    );
    assertEquals(error.response.kind, "close");
    bytes[index]! ^= mask;
  }
});

Deno.test("FrameBuffer refuses a header before anything behind its digest has come", () => {
  const bytes = withDigests(COMMAND.encode(), BOTH).subarray(0, HEADER_BYTES);
  for (const [index, mask] of bitsOf(bytes)) {
    if (index === 4) continue;
    bytes[index]! ^= mask;
    assertThrows(() => feed(frameBufferFor(BOTH), bytes), ProtocolError, "Header digest error");
    bytes[index]! ^= mask;
  }
});

for (const use of DIGEST_USES.filter(({ data }) => data)) {
  Deno.test(`FrameBuffer finds every single wrong bit of data, padding and digest, with ${describe(use)}`, () => {
    const bytes = withDigests(COMMAND.encode(), use);
    const next = withDigests(PINGS[1]!.encode(), use);
    for (const [index, mask] of bitsOf(bytes)) {
      if (index < HEADER_BYTES - (use.header ? 0 : 4)) continue;
      bytes[index]! ^= mask;
      const [bad, good] = feed(frameBufferFor(use), joinBytes([bytes, next]));
      assertEquals([bad!.hasDataDigestError, bad!.header], [true, frameOf(COMMAND).header]);
      assertEquals(good, frameOf(PINGS[1]!), "what follows is not touched");
      bytes[index]! ^= mask;
    }
  });
}

Deno.test("no single wrong bit of a write reaches the medium, and no other session notices", () => {
  const store = new MemoryStore({ sizeBytes: 1024 * 1024 });
  return withHarness({ targets: [{ stores: [store] }] }, async (harness) => {
    const isid = Uint8Array.of(0x80, 0, 0, 0, 0, 9);
    const other = await harness.logIn({ isid, keys: digestKeys(BOTH) });
    const data = new Uint8Array(512).fill(0xa5);
    // Some of all bits, more of the header: each takes a session of its own.
    const bits = [...bitsOf(new Uint8Array(48 + 4 + 512 + 4))];
    const chosen = bits.filter(([index], number) => number % (index < 52 ? 5 : 97) === 0);
    for (const [index, mask] of chosen) {
      const initiator = await harness.logIn({ keys: digestKeys(BOTH) });
      const write = scsiCommand({
        initiatorTaskTag: initiator.nextTaskTag(),
        cmdSn: initiator.takeCmdSn(),
        expStatSn: initiator.expStatSn,
        isFinal: true,
        reads: false,
        writes: true,
        lun: 0,
        expectedLength: data.length,
        cdb: write10(0, 1),
        data,
      });
      const bytes = withDigests(write.encode(), BOTH);
      bytes[index]! ^= mask;
      await initiator.send(bytes).catch(() => "the connection is gone");
      if (index >= 52) assertEquals((await initiator.receive()).response, 2);
      await initiator.close();
      assert(contentOf(store, 0, 512).every((byte) => byte === 0), `byte ${index}, mask ${mask}`);
    }
    assertEquals((await other.command({ cdb: testUnitReady() })).status, ScsiStatus.good);
  });
});
