/**
 * Changes that make a valid PDU invalid. They respect the layout of a PDU (RFC 7143, 11.2), so that most of what
 * they make gets past the first checks.
 */
import { HEADER_BYTES, NO_TAG, Opcode } from "../support/initiator_pdu.ts";
import type { RequestPdu } from "../support/initiator_request.ts";
import type { Random } from "../support/seeded_random.ts";

const INTERESTING = [
  ...[0, 1, 2, 3, 0x7f, 0x80, 0xff, 0x1ff, 0x2000, 0x2001],
  ...[0x7fffffff, 0x80000000, 0xfffffffe, NO_TAG],
];

type Mutation = (random: Random, pdu: RequestPdu) => void;

const MUTATIONS: readonly Mutation[] = [
  function flipBit(random, { header }): void {
    header[random.below(HEADER_BYTES)]! ^= 1 << random.below(8);
  },
  function changeByte(random, { header }): void {
    header[random.below(HEADER_BYTES)] = random.uint32();
  },
  function changeWord(random, { header }): void {
    new DataView(header.buffer).setUint32(random.below(12) * 4, random.pick(INTERESTING));
  },
  function lieAboutLength(random, { header }): void {
    // Usually a little, sometimes a lot.
    header[random.oneIn(60) ? 5 : random.oneIn(3) ? 6 : 7] = random.uint32();
  },
  function lieAboutAdditionalHeaders(random, { header }): void {
    header[4] = random.below(random.oneIn(10) ? 256 : 4);
  },
  function changeOpcode(random, { header }): void {
    // A Login Request ends the connection, so it must be rare.
    const opcode = random.oneIn(2) ? random.below(64) : random.below(8);
    header[0] = (opcode === Opcode.loginRequest && !random.oneIn(20) ? 0 : opcode) |
      (random.oneIn(2) ? 0x40 : 0);
  },
  function changeFlags(random, { header }): void {
    header[1] = random.below(256);
  },
  function spoilData(random, { data }): void {
    for (let count = random.below(6); count > 0 && data.length > 0; count--) {
      data[random.below(data.length)] = random.uint32();
    }
  },
  function swapFields(random, { header }): void {
    const [one, other] = [4 * random.below(12), 4 * random.below(12)];
    const bytes = header.slice(one, one + 4);
    header.copyWithin(one, other, other + 4);
    header.set(bytes, other);
  },
];

/** Changes one PDU into bytes that may be none. */
export function mutate(random: Random, pdu: RequestPdu): Uint8Array {
  if (random.oneIn(40)) {
    const bytes = pdu.encode();
    return bytes.subarray(0, random.below(bytes.length));
  }
  random.pick(MUTATIONS)(random, pdu);
  return pdu.encode();
}
