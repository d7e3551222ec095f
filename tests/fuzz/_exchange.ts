/**
 * What a hostile or broken initiator sends, for fuzzing: exchanges that are right, and then are not.
 *
 * An exchange is a list of PDUs as bytes. Mutations know the layout of a PDU (RFC 7143, 11.2), so that most of what
 * they make gets past the first checks.
 */
import { read10, reportLuns, synchronizeCache10, testUnitReady, write10 } from "../support/initiator_cdb.ts";
import { INITIATOR_NAME } from "../support/initiator_login.ts";
import { HEADER_BYTES, NO_TAG } from "../support/initiator_pdu.ts";
import {
  dataOut,
  loginRequest,
  logoutRequest,
  nopOut,
  RequestPdu,
  scsiCommand,
  snackRequest,
  taskManagementRequest,
  textRequest,
} from "../support/initiator_request.ts";
import { encodeText, OFFERED_KEYS, type TextPairs } from "../support/initiator_text.ts";
import { nameOf } from "../iscsi/_harness.ts";
import type { Random } from "./_random.ts";

const ISID = Uint8Array.of(0x80, 0, 0, 0, 0xf, 0xf);
const INTERESTING = [
  0,
  1,
  2,
  3,
  0x7f,
  0x80,
  0xff,
  0x1ff,
  0x2000,
  0x2001,
  0x7fffffff,
  0x80000000,
  0xfffffffe,
  NO_TAG,
];

/** Operation codes of commands that write, now or later: without these bytes nothing that is sent can be a write. */
const WRITING_OPCODES = new Set([
  ...[0x04, 0x07, 0x0a, 0x2a, 0x2e, 0x3f, 0x41, 0x42, 0x48, 0x53, 0x83, 0x89, 0x8a, 0x8e, 0x93, 0x9c],
  ...[0x9d, 0xaa, 0xac, 0xae],
]);

/** Makes the PDUs of an initiator, with numbers that continue. */
class Exchange {
  readonly #random: Random;
  readonly pdus: RequestPdu[] = [];
  #cmdSn = 1;
  #tag = 1;

  constructor(random: Random) {
    this.#random = random;
  }

  logIn(): void {
    const names: TextPairs = [["InitiatorName", INITIATOR_NAME], ["TargetName", nameOf()]];
    const offered = Object.entries(OFFERED_KEYS).filter(() => !this.#random.oneIn(3));
    const common = { isid: ISID, initiatorTaskTag: 0, cmdSn: 1, expStatSn: 0 };
    if (this.#random.oneIn(2)) {
      const text = encodeText([...names, ["AuthMethod", "None"]]);
      this.pdus.push(loginRequest({ ...common, isTransit: true, currentStage: 0, nextStage: 1, text }));
    } else {
      offered.unshift(...names.map(([key, value]): [string, string] => [key, value]));
    }
    const text = encodeText(offered);
    const cut = this.#random.oneIn(3) ? this.#random.below(text.length) : 0;
    if (cut > 0) {
      const part = { currentStage: 1, nextStage: 0, isTransit: false, isContinued: true };
      this.pdus.push(loginRequest({ ...common, ...part, text: text.subarray(0, cut) }));
    }
    const rest = text.subarray(cut);
    this.pdus.push(loginRequest({ ...common, isTransit: true, currentStage: 1, nextStage: 3, text: rest }));
  }

  /** The first command to each unit is not executed but told of a unit attention. */
  hearAttentions(): void {
    for (let lun = 0; lun < 2; lun++) {
      const command = {
        isImmediate: false,
        initiatorTaskTag: this.#tag++,
        cmdSn: this.#cmdSn++,
        expStatSn: 0,
      };
      const cdb = testUnitReady();
      this.pdus.push(
        scsiCommand({ ...command, isFinal: true, reads: false, writes: false, lun, expectedLength: 0, cdb }),
      );
    }
  }

  request(): void {
    const random = this.#random;
    const isImmediate = random.oneIn(4);
    const cmdSn = isImmediate ? this.#cmdSn : this.#cmdSn++;
    const common = { isImmediate, initiatorTaskTag: this.#tag++, cmdSn, expStatSn: random.below(50) };
    switch (random.below(10)) {
      case 0:
        return void this.pdus.push(
          nopOut({ ...common, lun: random.below(3), data: random.bytes(random.below(200)) }),
        );
      case 1:
        return void this.pdus.push(textRequest({
          ...common,
          isFinal: random.oneIn(2),
          text: encodeText([["SendTargets", random.pick(["", "All", nameOf()])], ["X-a", "1"]]),
        }));
      case 2:
        return void this.pdus.push(taskManagementRequest({
          ...common,
          function: 1 + random.below(random.oneIn(20) ? 9 : 5),
          lun: random.below(3),
          referencedTaskTag: random.below(this.#tag + 2),
          refCmdSn: cmdSn - random.below(5) >>> 0,
        }));
      case 3:
        return void this.pdus.push(
          snackRequest({ ...common, type: random.below(4), begRun: 0, runLength: 0 }),
        );
      case 4:
        if (random.oneIn(5)) this.pdus.push(logoutRequest({ ...common, reason: random.below(3) }));
        return;
      default:
        return this.#command(common);
    }
  }

  #command(
    common: { isImmediate: boolean; initiatorTaskTag: number; cmdSn: number; expStatSn: number },
  ): void {
    const random = this.#random;
    const blocks = random.below(20);
    const lba = random.oneIn(4) ? 2040 + random.below(16) : random.below(100);
    const lun = random.oneIn(8) ? random.below(4) : random.below(2);
    const kind = random.below(4);
    if (kind < 2) {
      const cdb = random.pick([read10(lba, blocks), testUnitReady(), reportLuns(64), synchronizeCache10()]);
      const expectedLength = cdb[0] === 0x28 ? blocks * 512 : cdb[0] === 0xa0 ? 64 : 0;
      const reads = expectedLength > 0;
      this.pdus.push(
        scsiCommand({ ...common, isFinal: true, reads, writes: false, lun, expectedLength, cdb }),
      );
      return;
    }
    const length = blocks * 512;
    const immediate = random.oneIn(2) ? Math.min(length, random.below(4096)) : 0;
    const isFinal = random.oneIn(2);
    const cdb = write10(lba, blocks);
    const data = random.bytes(length);
    const command = { ...common, isFinal, reads: false, writes: true, lun, expectedLength: length, cdb };
    this.pdus.push(scsiCommand({ ...command, data: data.subarray(0, immediate) }));
    // Unsolicited data, or an answer to an R2T whose tag can be guessed.
    const targetTransferTag = isFinal ? 1 + random.below(4) : NO_TAG;
    for (let offset = immediate, dataSn = 0; offset < length; dataSn++) {
      const end = Math.min(length, offset + 1 + random.below(4096));
      const piece = { isFinal: end === length, lun, targetTransferTag, dataSn, bufferOffset: offset };
      this.pdus.push(dataOut({ ...common, ...piece, data: data.subarray(offset, end) }));
      offset = end;
    }
  }
}

/** Changes one PDU into bytes that may be none. */
function mutate(random: Random, pdu: RequestPdu): Uint8Array {
  const { header } = pdu;
  switch (random.below(9)) {
    case 0:
      header[random.below(HEADER_BYTES)]! ^= 1 << random.below(8);
      break;
    case 1:
      header[random.below(HEADER_BYTES)] = random.uint32();
      break;
    case 2:
      new DataView(header.buffer).setUint32(random.below(12) * 4, random.pick(INTERESTING));
      break;
    case 3:
      // A lying DataSegmentLength: mostly a little, sometimes a lot.
      header[random.oneIn(10) ? 5 : random.oneIn(3) ? 6 : 7] = random.uint32();
      break;
    case 4:
      header[4] = random.below(random.oneIn(10) ? 256 : 4);
      break;
    case 5:
      header[0] = random.below(256);
      break;
    case 6:
      header[1] = random.below(256);
      break;
    case 7:
      for (let count = random.below(6); count > 0 && pdu.data.length > 0; count--) {
        pdu.data[random.below(pdu.data.length)] = random.uint32();
      }
      break;
    default: {
      const bytes = pdu.encode();
      return bytes.subarray(0, random.below(bytes.length));
    }
  }
  return pdu.encode();
}

/** Changes an exchange as a whole: PDUs are lost, doubled, swapped, and strangers come between them. */
function shuffle(random: Random, pieces: Uint8Array[], first: number): void {
  for (let count = random.below(4); count > 0; count--) {
    const at = first + random.below(pieces.length - first + 1);
    const other = first + random.below(pieces.length - first + 1);
    switch (random.below(4)) {
      case 0:
        pieces.splice(at, 1);
        break;
      case 1:
        if (other < pieces.length) pieces.splice(at, 0, pieces[other]!);
        break;
      case 2:
        if (at < pieces.length && other < pieces.length) {
          [pieces[at], pieces[other]] = [pieces[other]!, pieces[at]!];
        }
        break;
      default:
        pieces.splice(at, 0, random.bytes(random.below(100)));
    }
  }
}

/** How an exchange is spoiled. */
export interface ExchangeOptions {
  /** The login is spoiled as well; else it succeeds. */
  readonly spoilsLogin: boolean;
  /** Without this, no byte that is sent can be the operation code of a command that writes. */
  readonly mayWrite: boolean;
}

/** The bytes that one initiator sends, PDU by PDU. */
export function spoiledExchange(random: Random, { spoilsLogin, mayWrite }: ExchangeOptions): Uint8Array[] {
  const exchange = new Exchange(random);
  exchange.logIn();
  exchange.hearAttentions();
  const loginCount = exchange.pdus.length;
  for (let count = 1 + random.below(25); count > 0; count--) exchange.request();
  const oneIn = 2 + random.below(12);
  const pieces = exchange.pdus.map((pdu, index) =>
    (spoilsLogin || index >= loginCount) && random.oneIn(oneIn) ? mutate(random, pdu) : pdu.encode()
  );
  shuffle(random, pieces, spoilsLogin ? 0 : loginCount);
  if (spoilsLogin && random.oneIn(10)) return [random.bytes(random.below(5000))];
  if (mayWrite) return pieces;
  return pieces.map((piece, index) =>
    index < loginCount && !spoilsLogin ? piece : piece.map((byte) => WRITING_OPCODES.has(byte) ? 0 : byte)
  );
}
