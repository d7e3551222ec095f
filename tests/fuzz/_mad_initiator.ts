/**
 * An initiator for fuzzing: it sends valid requests, answers the target, and spoils some of both.
 *
 * A step makes PDUs, spoils some of them, and sends them; the next step starts when the target is idle. The seed alone
 * determines the result.
 */
import { readUint32 } from "../../lib/bytes/big_endian.ts";
import * as cdbs from "../support/initiator_cdb.ts";
import { answerChallenge } from "../support/initiator_chap.ts";
import {
  bytesWithDigests,
  type DigestUse,
  NO_DIGESTS,
  settleDigests,
  withDigests,
  withoutDigests,
} from "../support/initiator_digest.ts";
import { checkLayout, HEADER_BYTES, NO_TAG, Opcode, Pdu } from "../support/initiator_pdu.ts";
import {
  dataOut,
  logoutRequest,
  nopOut,
  RequestPdu,
  scsiCommand,
  snackRequest,
  taskManagementRequest,
  textRequest,
} from "../support/initiator_request.ts";
import { decodeText, encodeText, joinBytes, type TextPairs } from "../support/initiator_text.ts";
import type { FuzzStream } from "./_fuzz_stream.ts";
import type { MadSession } from "./_mad_session.ts";
import {
  CREDENTIALS,
  type LoginNumbers,
  loginPdu,
  loginSteps,
  spoiledAnswer,
  textPairs,
} from "./_login_grammar.ts";
import { mutate } from "./_mutation.ts";
import type { Random } from "../support/seeded_random.ts";
import { SentWrites, writesOtherwise } from "./_sent_writes.ts";

/** An R2T, or leave to send unsolicited data, that is still to be answered. */
interface Solicitation {
  readonly initiatorTaskTag: number;
  readonly targetTransferTag: number;
  readonly lun: number;
  readonly offset: number;
  readonly length: number;
}

/** ReloadOutcome of everything that passes. */
export interface Witness {
  sent(header: Uint8Array): void;
  received(pdu: Pdu): void;
}

/** The kinds and the rates of an initiator's faults. */
export interface Madness {
  /** Spoils what is said before the login is complete. */
  readonly spoilsLogin: boolean;
  /** One PDU in so many is spoiled. */
  readonly oneIn: number;
}

/** The parts of a mad initiator. */
export interface MadInitiatorOptions {
  readonly stream: FuzzStream;
  readonly session: MadSession;
  readonly random: Random;
  readonly madness: Madness;
  readonly witness: Witness;
}

type Action = () => RequestPdu[];

/** One connection of a mad initiator. */
export class MadInitiator {
  readonly sentWrites = new SentWrites();
  readonly stream: FuzzStream;
  /** The session that it claims to belong to. */
  readonly session: MadSession;
  readonly #random: Random;
  readonly #madness: Madness;
  readonly #witness: Witness;
  /** Data of writes under way, by task tag. */
  readonly #writeData = new Map<number, Uint8Array>();
  readonly #solicitations: Solicitation[] = [];
  readonly #history: RequestPdu[] = [];
  /** The digests that the login negotiated; they apply from the next PDU on. */
  #digests: DigestUse = NO_DIGESTS;
  readonly #loginAnswers: Uint8Array[] = [];
  /** The target's challenge, if it requires CHAP. */
  #challenge: TextPairs | undefined;
  #received: Uint8Array = new Uint8Array();
  #expStatSn = 0;
  #textTag = NO_TAG;
  isLoggedIn = false;

  constructor({ stream, session, random, madness, witness }: MadInitiatorOptions) {
    this.stream = stream;
    this.session = session;
    this.#random = random;
    this.#madness = madness;
    this.#witness = witness;
  }

  /** Logs in as a connection of the session with that TSIH. */
  async logIn(tsih: number): Promise<void> {
    const random = this.#random;
    const numbers = {
      isid: this.session.isid,
      tsih,
      connectionId: random.below(4),
      initiatorTaskTag: random.oneIn(20) ? random.uint32() : 0,
    };
    if (this.#madness.spoilsLogin && random.oneIn(10)) await this.#send([random.bytes(random.below(5000))]);
    for (const step of loginSteps(random)) {
      if (this.stream.isClosed) return;
      await this.#sendLogin(
        loginPdu(step, { ...numbers, cmdSn: this.session.cmdSn, expStatSn: this.#expStatSn }),
      );
      if (this.#challenge !== undefined) await this.#answerChallenge(this.#challenge, numbers);
    }
  }

  async #sendLogin(pdu: RequestPdu): Promise<void> {
    await this.#send([
      this.#madness.spoilsLogin && this.#isSpoiled() ? this.#spoil(pdu) : this.#encode(pdu),
    ]);
  }

  /** Answers the challenge, correctly or not. */
  async #answerChallenge(
    challenge: TextPairs,
    numbers: Omit<LoginNumbers, "cmdSn" | "expStatSn">,
  ): Promise<void> {
    const random = this.#random;
    this.#challenge = undefined;
    const mutual = { ...CREDENTIALS, challenge: random.bytes(20) };
    const right = answerChallenge(challenge, { ...CREDENTIALS, ...(random.oneIn(4) ? { mutual } : {}) });
    const text = encodeText(random.oneIn(3) ? spoiledAnswer(random, right) : right);
    const step = { currentStage: 0, nextStage: 1, isTransit: true, isContinued: false, text };
    await this.#sendLogin(
      loginPdu(step, { ...numbers, cmdSn: this.session.cmdSn, expStatSn: this.#expStatSn }),
    );
  }

  /** Takes the first unit attention of both units, so that later commands are executed. */
  async hearAttentions(): Promise<void> {
    const common = {
      isFinal: true,
      reads: false,
      writes: false,
      expectedLength: 0,
      cdb: cdbs.testUnitReady(),
    };
    const pdus = [0, 1].map((lun) => scsiCommand({ ...this.#numbers(false), ...common, lun }));
    await this.#send(pdus.map((pdu) => this.#encode(pdu)));
  }

  /** Does something, or several things at once. */
  async act(): Promise<void> {
    const random = this.#random;
    const pieces: Uint8Array[] = [];
    for (let count = 1 + random.below(random.oneIn(3) ? 20 : 4); count > 0; count--) {
      for (const pdu of this.#nextAction()()) {
        this.#remember(pdu);
        pieces.push(this.#isSpoiled() ? this.#spoil(pdu) : this.#encode(withoutOtherWriting(pdu)));
      }
    }
    this.#shuffle(pieces);
    await this.#send(pieces);
  }

  #isSpoiled(): boolean {
    return this.#random.oneIn(this.#madness.oneIn);
  }

  #spoil(pdu: RequestPdu): Uint8Array {
    const bytes = mutate(this.#random, pdu);
    const isCommand = bytes.length >= HEADER_BYTES && (bytes[0]! & 0x3f) === Opcode.scsiCommand;
    if (isCommand && writesOtherwise(bytes[32]!)) bytes[32] = 0;
    if (bytes.length < HEADER_BYTES) return bytes;
    const framed = withDigests(bytes, this.#digests);
    const isDamaged = framed.length > bytes.length && this.#random.oneIn(5);
    if (isDamaged) framed[this.#random.below(framed.length)]! ^= 1 << this.#random.below(8);
    return framed;
  }

  #encode(pdu: RequestPdu): Uint8Array {
    return withDigests(pdu.encode(), this.#digests);
  }

  /** Some are lost, doubled or swapped. */
  #shuffle(pieces: Uint8Array[]): void {
    const random = this.#random;
    while (pieces.length > 0 && random.oneIn(this.#madness.oneIn)) {
      const at = random.below(pieces.length);
      const other = random.below(pieces.length);
      if (random.oneIn(3)) pieces.splice(at, 1);
      else if (random.oneIn(2)) pieces.splice(at, 0, pieces[other]!);
      else [pieces[at], pieces[other]] = [pieces[other]!, pieces[at]!];
    }
    if (random.oneIn(300)) pieces.push(random.bytes(random.below(200)));
  }

  async #send(pieces: readonly Uint8Array[]): Promise<void> {
    const bytes = joinBytes(pieces);
    this.sentWrites.digests = this.#digests;
    this.sentWrites.add(bytes, (header) => this.#witness.sent(header));
    const cut = this.#random.oneIn(4) ? this.#random.below(bytes.length + 1) : 0;
    this.stream.push(bytes.subarray(0, cut));
    this.stream.push(bytes.subarray(cut));
    // Who has failed to log in waits before the next login.
    await this.stream.untilIdle(!this.isLoggedIn);
    this.hear();
  }

  #remember(pdu: RequestPdu): void {
    if (this.#history.length < 50) this.#history.push(pdu);
    else this.#history[this.#random.below(50)] = pdu;
  }

  /** Takes in what the target has sent. */
  hear(): void {
    const bytes = joinBytes([this.#received, ...this.stream.take()]);
    let start = 0;
    while (bytes.length - start >= HEADER_BYTES) {
      const end = start + bytesWithDigests(bytes.subarray(start), this.#digests);
      if (end > bytes.length) break;
      const pdu = new Pdu(withoutDigests(bytes.slice(start, end), this.#digests));
      checkLayout(pdu);
      this.#witness.received(pdu);
      this.#take(pdu);
      start = end;
    }
    this.#received = bytes.slice(start);
  }

  #take(pdu: Pdu): void {
    if (pdu.opcode !== Opcode.dataIn || pdu.hasStatus) this.#expStatSn = pdu.statSn + 1 >>> 0;
    switch (pdu.opcode) {
      case Opcode.loginResponse:
        this.isLoggedIn = pdu.statusClass === 0 && pdu.isTransit && pdu.nextStage === 3;
        this.#loginAnswers.push(pdu.data);
        this.#challenge = challengeIn(pdu);
        if (!this.isLoggedIn) break;
        this.session.tsih = pdu.tsih;
        this.#digests = settleDigests(decodeText(joinBytes(this.#loginAnswers)));
        break;
      case Opcode.reject:
        if (isNumbered(pdu.data)) this.session.gaps.push(readUint32(pdu.data, 24));
        break;
      case Opcode.textResponse:
        this.#textTag = pdu.targetTransferTag;
        break;
      case Opcode.readyToTransfer: {
        const { initiatorTaskTag, targetTransferTag, bufferOffset: offset, desiredLength: length } = pdu;
        this.#solicitations.push({ initiatorTaskTag, targetTransferTag, lun: pdu.lun[1]!, offset, length });
        break;
      }
    }
  }

  #numbers(isImmediate = this.#random.oneIn(5)): {
    isImmediate: boolean;
    initiatorTaskTag: number;
    cmdSn: number;
    expStatSn: number;
  } {
    const random = this.#random;
    const gap = isImmediate || random.oneIn(8) ? undefined : this.session.gaps.shift();
    let cmdSn = gap ?? this.session.cmdSn;
    if (!isImmediate && gap === undefined) this.session.cmdSn = this.session.cmdSn + 1 >>> 0;
    // Behind the window, or before it: a hole, a repetition, or far away.
    if (random.oneIn(40)) cmdSn = cmdSn + random.below(random.oneIn(2) ? 5 : 300) - 2 >>> 0;
    const reuses = random.oneIn(30) && this.session.nextTag > 1;
    const initiatorTaskTag = reuses ? random.below(this.session.nextTag) : this.session.nextTag++;
    return { isImmediate, initiatorTaskTag, cmdSn, expStatSn: this.#expStatSn };
  }

  #nextAction(): Action {
    const random = this.#random;
    if (this.#solicitations.length > 0 && random.oneIn(2)) return () => this.#answerSolicitation();
    const actions: readonly (readonly [weight: number, action: Action])[] = [
      [14, () => this.#write()],
      [10, () => this.#read()],
      [5, () => this.#otherCommand()],
      [5, () => this.#nop()],
      [4, () => this.#text()],
      [4, () => this.#taskManagement()],
      [1, () => this.#strayData()],
      [1, () => this.#snack()],
      [1, () => this.#repeat()],
      [1, () => this.#rare()],
    ];
    let number = random.below(actions.reduce((sum, [weight]) => sum + weight, 0));
    return actions.find(([weight]) => (number -= weight) < 0)![1];
  }

  #lun(): number {
    return this.#random.oneIn(15) ? this.#random.below(300) : this.#random.below(2);
  }

  #nop(): RequestPdu[] {
    const data = this.#random.bytes(this.#random.below(this.#random.oneIn(10) ? 9000 : 100));
    const isUnasked = this.#random.oneIn(10);
    const pdu = nopOut({ ...this.#numbers(isUnasked || this.#random.oneIn(5)), lun: this.#lun(), data });
    if (isUnasked) pdu.header.fill(0xff, 16, 20);
    return [pdu];
  }

  #read(): RequestPdu[] {
    const random = this.#random;
    const blocks = random.below(random.oneIn(10) ? 300 : 20);
    const lba = random.oneIn(8) ? 2040 + random.below(20) : random.below(2000);
    const make = random.pick([cdbs.read10, cdbs.read16, cdbs.read6, cdbs.read12]);
    const expectedLength = random.oneIn(8) ? random.below(20_000) : blocks * 512;
    const cdb = make(lba, blocks);
    const common = { isFinal: true, reads: true, writes: random.oneIn(50), lun: this.#lun() };
    return [scsiCommand({ ...this.#numbers(), ...common, expectedLength, cdb })];
  }

  #write(): RequestPdu[] {
    const random = this.#random;
    const blocks = random.below(random.oneIn(10) ? 300 : 20);
    const lba = random.oneIn(8) ? 2040 + random.below(20) : random.below(1700);
    const make = random.pick([cdbs.write10, cdbs.write16, cdbs.write6, cdbs.write12]);
    const data = random.bytes(blocks * 512);
    const expectedLength = random.oneIn(10) ? random.below(20_000) : data.length;
    const immediate = random.oneIn(2) ? 0 : Math.min(data.length, random.below(8192));
    const isFinal = !random.oneIn(3);
    const lun = this.#lun();
    const numbers = this.#numbers();
    const { initiatorTaskTag } = numbers;
    const direction = { isFinal, reads: random.oneIn(50), writes: true };
    this.#writeData.set(initiatorTaskTag, data);
    if (!isFinal) {
      const length = Math.min(data.length - immediate, random.below(66_000));
      const whole = { initiatorTaskTag, targetTransferTag: NO_TAG, lun, offset: immediate, length };
      this.#solicitations.push(whole);
    }
    const pdu = scsiCommand({
      ...numbers,
      ...direction,
      lun,
      expectedLength,
      cdb: make(lba, blocks),
      data: data.subarray(0, immediate),
    });
    return [pdu];
  }

  /** Sends data for an R2T, or unsolicited: usually the data that are due, in pieces. */
  #answerSolicitation(): RequestPdu[] {
    const random = this.#random;
    const index = random.oneIn(8) ? random.below(this.#solicitations.length) : 0;
    const [due] = this.#solicitations.splice(index, 1);
    const data = this.#writeData.get(due!.initiatorTaskTag) ?? random.bytes(due!.length);
    const { initiatorTaskTag, lun, offset } = due!;
    const targetTransferTag = random.oneIn(40) ? random.below(10) : due!.targetTransferTag;
    const end = offset + (random.oneIn(30) ? random.below(2 * due!.length + 512) : due!.length);
    const pdus: RequestPdu[] = [];
    const expStatSn = this.#expStatSn;
    for (let at = offset, dataSn = 0; (at < end || dataSn === 0) && dataSn < 100; dataSn++) {
      const length = Math.min(end - at, 512 + random.below(16_384));
      const bufferOffset = random.oneIn(80) ? random.below(20_000) : at;
      const piece = paddedTo(data.subarray(at, at + length), length);
      const common = { initiatorTaskTag, targetTransferTag, lun, expStatSn, dataSn, bufferOffset };
      at += length;
      pdus.push(dataOut({ ...common, isFinal: at >= end && !random.oneIn(50), data: piece }));
    }
    return pdus;
  }

  #strayData(): RequestPdu[] {
    const random = this.#random;
    return [dataOut({
      isFinal: random.oneIn(2),
      lun: this.#lun(),
      initiatorTaskTag: random.below(this.session.nextTag + 3),
      targetTransferTag: random.oneIn(2) ? NO_TAG : random.below(20),
      expStatSn: this.#expStatSn,
      dataSn: random.below(4),
      bufferOffset: 512 * random.below(8),
      data: random.bytes(random.below(2000)),
    })];
  }

  #otherCommand(): RequestPdu[] {
    const random = this.#random;
    const known = [
      cdbs.testUnitReady(),
      cdbs.inquiry(random.below(300), random.pick([0, 0x80, 0x83, 0xb0, 0xff])),
      cdbs.reportLuns(random.below(64)),
      cdbs.modeSense10(0x3f, random.below(500)),
      cdbs.requestSense(random.below(252)),
      cdbs.readCapacity16(random.below(40)),
      cdbs.synchronizeCache10(random.below(3000), random.below(10)),
      cdbs.verify10(random.below(2100), random.below(10)),
    ];
    const cdb = random.oneIn(4)
      ? random.bytes(random.oneIn(4) ? 16 + random.below(240) : 16)
      : random.pick(known);
    const reads = random.oneIn(2);
    const writes = random.oneIn(8);
    const expectedLength = reads || writes ? random.below(1000) : 0;
    const isFinal = !writes || random.oneIn(2);
    const common = { isFinal, reads, writes, lun: this.#lun(), expectedLength, cdb };
    const data = random.bytes(writes ? random.below(600) : 0);
    return [withoutOtherWriting(scsiCommand({ ...this.#numbers(), ...common, data }))];
  }

  #text(): RequestPdu[] {
    const random = this.#random;
    const text = random.oneIn(20) ? random.bytes(random.below(100)) : encodeText(textPairs(random));
    const isFinal = random.oneIn(2);
    const targetTransferTag = random.oneIn(3) ? this.#textTag : NO_TAG;
    const isContinued = !isFinal && random.oneIn(2);
    return [textRequest({ ...this.#numbers(), isFinal, isContinued, targetTransferTag, text })];
  }

  #taskManagement(): RequestPdu[] {
    const random = this.#random;
    const numbers = this.#numbers(random.oneIn(2));
    // A cold reset ends the session, which would be dull if it came often.
    const functions = random.oneIn(40) ? [7, random.below(128)] : [1, 1, 1, 2, 3, 4, 5, 6, 8, 9, 10, 11];
    return [taskManagementRequest({
      ...numbers,
      function: random.pick(functions),
      lun: this.#lun(),
      referencedTaskTag: random.below(this.session.nextTag + 2),
      refCmdSn: (random.oneIn(3) ? this.session.gaps.shift() : undefined) ??
        numbers.cmdSn - random.below(6) >>> 0,
    })];
  }

  #snack(): RequestPdu[] {
    const random = this.#random;
    return [
      snackRequest({ ...this.#numbers(true), type: random.below(16), begRun: random.below(9), runLength: 1 }),
    ];
  }

  /** Repeats an earlier request unchanged. */
  #repeat(): RequestPdu[] {
    const random = this.#random;
    return this.#history.length === 0 ? [] : [random.pick(this.#history)];
  }

  #rare(): RequestPdu[] {
    const random = this.#random;
    switch (random.below(6)) {
      case 0:
        return [
          logoutRequest({ ...this.#numbers(), reason: random.below(5), connectionId: random.below(3) }),
        ];
      case 1:
        return [new RequestPdu(random.below(64), 0x80, random.bytes(random.below(64)))];
      case 2: {
        if (!random.oneIn(10)) return [];
        const step = { currentStage: 1, nextStage: 3, isTransit: true, isContinued: false };
        const common = { isid: this.session.isid, tsih: this.session.tsih, connectionId: 0 };
        return [
          loginPdu({ ...step, text: encodeText(textPairs(random)) }, { ...common, ...this.#numbers(true) }),
        ];
      }
      case 3: {
        // Immediate writes whose data may never arrive: the target has room for a few.
        const lun = this.#lun();
        const write = {
          isFinal: true,
          reads: false,
          writes: true,
          lun,
          expectedLength: 4096,
          cdb: cdbs.write10(0, 8),
        };
        return Array.from(
          { length: random.below(40) },
          () => scsiCommand({ ...this.#numbers(true), ...write }),
        );
      }
      default: {
        // A burst of immediate requests, which no window holds back.
        const count = random.below(60);
        return Array.from({ length: count }, () => this.#nop()[0]!);
      }
    }
  }
}

/** Reports if the header of a rejected request has a number of its own. */
function isNumbered(header: Uint8Array): boolean {
  const opcode = header[0]! & 0x3f;
  const isImmediate = (header[0]! & 0x40) !== 0;
  return !isImmediate && opcode !== Opcode.dataOut && opcode !== Opcode.snackRequest;
}

/** Returns the pairs of a response that holds a challenge; undefined when it holds none. */
function challengeIn({ data, statusClass, isContinued }: Pdu): TextPairs | undefined {
  if (statusClass !== 0 || isContinued || data.length === 0) return undefined;
  const pairs = decodeText(data);
  return pairs.some(([key]) => key === "CHAP_C") ? pairs : undefined;
}

function paddedTo(bytes: Uint8Array, length: number): Uint8Array {
  const padded = new Uint8Array(length);
  padded.set(bytes);
  return padded;
}

/** Leaves out of a command what would change the medium in a way that is not followed. */
function withoutOtherWriting(pdu: RequestPdu): RequestPdu {
  const isCommand = (pdu.header[0]! & 0x3f) === Opcode.scsiCommand;
  if (isCommand && writesOtherwise(pdu.header[32]!)) pdu.header[32] = 0;
  return pdu;
}
