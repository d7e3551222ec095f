/**
 * An iSCSI initiator for tests (RFC 7143): one connection, which is one session or shares one with others.
 *
 * It does what a good initiator does, with any number of commands under way, and watches the target meanwhile: a
 * PDU whose form, order, numbers or lengths the RFC forbids is thrown as a `TargetFault`. For a bad initiator, take
 * `send` and `receive`, and `nextTaskTag`, `nextCmdSn` and `expStatSn` for the fields that should be right.
 */
import { serialDistance } from "../../lib/bytes/serial_number.ts";
import { ConnectionClosed, InitiatorConnection, TIME_LIMIT_MS } from "./initiator_connection.ts";
import { settleDigests } from "./initiator_digest.ts";
import { Dispatcher } from "./initiator_dispatcher.ts";
import { type LoginOptions, type LoginResult, runLogin } from "./initiator_login.ts";
import { checkLayout, NO_TAG, Opcode, type Pdu, TargetFault } from "./initiator_pdu.ts";
import { SessionNumbers } from "./initiator_numbers.ts";
import {
  encodeLun,
  LogoutReason,
  logoutRequest,
  type Lun,
  nopOut,
  type RequestPdu,
  taskManagementRequest,
  textRequest,
} from "./initiator_request.ts";
import { SequenceObserver } from "./initiator_sequence.ts";
import {
  decodeText,
  type DiscoveredTarget,
  encodeText,
  groupTargets,
  joinBytes,
  OFFERED_KEYS,
  type SessionParameters,
  settleParameters,
  splitBytes,
  type TextPairs,
} from "./initiator_text.ts";
import { type Command, type CommandResult, CommandTransfer } from "./initiator_transfer.ts";
import type { ByteStream } from "./pipe.ts";

/** Deviations of an initiator from the default. */
export interface InitiatorOptions {
  /** Number of the first command: near the end of the range it soon wraps. */
  readonly firstCmdSn?: number;
  /** Answers pings of the target; the default is true. */
  readonly answersPings?: boolean;
  /** The numbers of the session's other connections, to share one session. */
  readonly numbers?: SessionNumbers;
}

/** A command under way. */
export interface PendingCommand {
  readonly initiatorTaskTag: number;
  readonly cmdSn: number;
  /** Waits for its end. */
  result(timeLimitMs?: number): Promise<CommandResult>;
  /** Stops waiting for the answer: the command was aborted. PDUs that still arrive go to `receive`. */
  forget(): void;
}

/** A login to join a session offers nothing that the leading one has settled (13: LO). */
const CONNECTION_KEYS_ONLY: LoginOptions["keys"] = {
  ...Object.fromEntries(Object.keys(OFFERED_KEYS).map((key) => [key, undefined])),
  HeaderDigest: "None",
  DataDigest: "None",
  MaxRecvDataSegmentLength: OFFERED_KEYS["MaxRecvDataSegmentLength"],
};

/** The most rounds of a text exchange. */
const TEXT_ROUNDS_MAX = 64;

/** An initiator with one connection. */
export class Initiator {
  readonly connection: InitiatorConnection;
  readonly numbers: SessionNumbers;
  readonly #answersPings: boolean;
  readonly #dispatcher: Dispatcher;
  readonly #observer = new SequenceObserver();
  #parameters: SessionParameters = settleParameters([], []);
  /** Commands are numbered and sent one after the other. */
  #admission: Promise<unknown> = Promise.resolve();

  constructor(connection: InitiatorConnection | ByteStream, options: InitiatorOptions = {}) {
    this.connection = connection instanceof InitiatorConnection
      ? connection
      : new InitiatorConnection(connection);
    this.#answersPings = options.answersPings ?? true;
    this.numbers = options.numbers ?? new SessionNumbers(options.firstCmdSn ?? 0xfffffff8);
    this.#dispatcher = new Dispatcher(this.connection, (pdu) => this.#inspect(pdu));
  }

  /** Connects over TCP. */
  static async connect(port: number, options: InitiatorOptions = {}, hostname?: string): Promise<Initiator> {
    return new Initiator(await InitiatorConnection.connect(port, hostname), options);
  }

  /** The parameters that the login negotiated. */
  get parameters(): SessionParameters {
    return this.#parameters;
  }
  /** The number that the next command gets. */
  get nextCmdSn(): number {
    return this.numbers.nextCmdSn;
  }
  /** The last number that the target accepts. */
  get maxCmdSn(): number | undefined {
    return this.numbers.maxCmdSn;
  }
  get expCmdSn(): number | undefined {
    return this.numbers.expCmdSn;
  }
  /** Acknowledges all that has been received. */
  get expStatSn(): number {
    return this.#observer.expStatSn;
  }
  /** A tag that no other exchange has. */
  nextTaskTag(): number {
    return this.numbers.takeTag();
  }
  /** Takes the next number, for a command that is sent by `send`. */
  takeCmdSn(): number {
    return this.numbers.takeCmdSn();
  }

  /** Sends PDUs, or any bytes, unchanged. */
  send(...parts: readonly (RequestPdu | Uint8Array)[]): Promise<void> {
    return this.connection.send(...parts);
  }

  /** The next PDU that belongs to nothing that is under way. */
  receive(timeLimitMs: number = TIME_LIMIT_MS): Promise<Pdu> {
    return this.#dispatcher.receive(timeLimitMs);
  }

  /** Waits until the target closes the connection, and returns what it sent before. */
  async receiveEnd(timeLimitMs: number = TIME_LIMIT_MS): Promise<Pdu[]> {
    const pdus: Pdu[] = [];
    while (true) {
      try {
        pdus.push(await this.receive(timeLimitMs));
      } catch (error) {
        if (error instanceof ConnectionClosed) return pdus;
        throw error;
      }
    }
  }

  /** Sends a request and waits for the PDU that answers it. */
  async exchange(
    initiatorTaskTag: number,
    request: RequestPdu,
    timeLimitMs: number = TIME_LIMIT_MS,
  ): Promise<Pdu> {
    const { promise, resolve, reject } = Promise.withResolvers<Pdu>();
    this.#dispatcher.open(initiatorTaskTag, { accept: resolve, fail: reject });
    try {
      const answered = this.#dispatcher.wait(promise, "receive an answer", timeLimitMs);
      const [pdu] = await Promise.all([answered, this.send(request)]);
      return pdu;
    } finally {
      this.#dispatcher.close(initiatorTaskTag);
    }
  }

  /**
   * Logs in.
   *
   * @throws {LoginRefused} when the target refuses, with its status
   */
  async login(options: LoginOptions = {}): Promise<LoginResult> {
    const result = await runLogin(this, options);
    this.#parameters = settleParameters(result.offered, result.answered);
    this.connection.digests = settleDigests(result.answered);
    return result;
  }

  /**
   * Logs in to join the session of a connection that has logged in.
   *
   * @throws {LoginRefused} when the target refuses, with its status
   */
  async join(leading: Initiator, options: LoginOptions & { readonly tsih: number }): Promise<LoginResult> {
    const result = await runLogin(this, { ...options, keys: { ...CONNECTION_KEYS_ONLY, ...options.keys } });
    const { receiveBytesMax, sendBytesMax } = settleParameters(result.offered, result.answered);
    this.#parameters = { ...leading.parameters, receiveBytesMax, sendBytesMax };
    this.connection.digests = settleDigests(result.answered);
    return result;
  }

  /** Sends a command and waits for its end. */
  async command(command: Command, timeLimitMs: number = TIME_LIMIT_MS): Promise<CommandResult> {
    return await (await this.begin(command, timeLimitMs)).result(timeLimitMs);
  }

  /** Sends a command, as soon as the target's window has room for it. */
  begin(command: Command, timeLimitMs: number = TIME_LIMIT_MS): Promise<PendingCommand> {
    const begun = this.#admission.then(() => this.#begin(command, timeLimitMs));
    this.#admission = begun.catch(() => {});
    return begun;
  }

  /** Pings the target and checks its echo. Returns the answer. */
  async nop(data: Uint8Array = new Uint8Array(0), lun: Lun = 0): Promise<Pdu> {
    const initiatorTaskTag = this.nextTaskTag();
    const answer = await this.exchange(
      initiatorTaskTag,
      nopOut({ ...this.#immediate(initiatorTaskTag), lun, data }),
    );
    this.#expectAnswer(answer, Opcode.nopIn);
    const echoBytes = Math.min(data.length, this.#parameters.receiveBytesMax);
    const isEcho = answer.data.length === echoBytes && answer.data.every((byte, i) => byte === data[i]);
    if (!isEcho) throw new TargetFault(`A ping of ${data.length} bytes came back otherwise`);
    return answer;
  }

  /** Sends text and returns the target's whole answer; both may span several PDUs. */
  async text(pairs: TextPairs, pieceBytes: number = this.#parameters.sendBytesMax): Promise<TextPairs> {
    const initiatorTaskTag = this.nextTaskTag();
    const pieces = splitBytes(encodeText(pairs), pieceBytes);
    const answer: Uint8Array[] = [];
    let targetTransferTag = NO_TAG;
    for (let round = 0; round < TEXT_ROUNDS_MAX; round++) {
      const isLast = round >= pieces.length - 1;
      const pdu = await this.exchange(
        initiatorTaskTag,
        textRequest({
          ...this.#immediate(initiatorTaskTag),
          isFinal: isLast,
          isContinued: !isLast,
          targetTransferTag,
          text: pieces[round] ?? new Uint8Array(0),
        }),
      );
      this.#expectAnswer(pdu, Opcode.textResponse);
      answer.push(pdu.data);
      if (pdu.isFinal && pdu.isContinued) throw new TargetFault("A text response has both F and C");
      if (pdu.isFinal !== (pdu.targetTransferTag === NO_TAG)) throw new TargetFault("F and tag do not fit");
      if (pdu.isFinal && isLast) return decodeText(joinBytes(answer));
      targetTransferTag = pdu.targetTransferTag;
    }
    throw new TargetFault(`A text exchange took more than ${TEXT_ROUNDS_MAX} rounds`);
  }

  /** Discovers targets: all that we may see, or those of a name. */
  async sendTargets(what = "All"): Promise<DiscoveredTarget[]> {
    return groupTargets(await this.text([["SendTargets", what]]));
  }

  /** Asks for a task management function and returns the target's response (11.6.1): 0 is "function complete". */
  async taskManagement(
    taskManagementFunction: number,
    options: { readonly lun?: Lun; readonly referencedTaskTag?: number; readonly refCmdSn?: number } = {},
  ): Promise<number> {
    const initiatorTaskTag = this.nextTaskTag();
    const answer = await this.exchange(
      initiatorTaskTag,
      taskManagementRequest({
        ...this.#immediate(initiatorTaskTag),
        function: taskManagementFunction,
        ...options,
      }),
    );
    this.#expectAnswer(answer, Opcode.taskManagementResponse);
    return answer.response;
  }

  /** Logs out and returns the target's response (11.15.1): 0 is success, and either side may close the connection. */
  async logout(reason: number = LogoutReason.closeSession, connectionId = 0): Promise<number> {
    const initiatorTaskTag = this.nextTaskTag();
    const answer = await this.exchange(
      initiatorTaskTag,
      logoutRequest({ ...this.#immediate(initiatorTaskTag), reason, connectionId }),
    );
    this.#expectAnswer(answer, Opcode.logoutResponse);
    return answer.response;
  }

  /** Closes the connection without a word, as a broken initiator does. */
  async close(): Promise<void> {
    await this.connection.close();
    await this.#dispatcher.end();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #immediate(
    initiatorTaskTag: number,
  ): { isImmediate: true; initiatorTaskTag: number; cmdSn: number; expStatSn: number } {
    return { isImmediate: true, initiatorTaskTag, cmdSn: this.nextCmdSn, expStatSn: this.expStatSn };
  }

  #expectAnswer(pdu: Pdu, opcode: number): void {
    if (pdu.opcode !== opcode) throw new TargetFault(`Received ${pdu.name} for an answer`);
  }

  /** Examines every PDU received; answers the target's pings, and does not pass them on. */
  #inspect(pdu: Pdu): boolean {
    checkLayout(pdu);
    this.#observer.observe(pdu);
    this.numbers.observe(pdu);
    if (pdu.dataSegmentLength > this.#parameters.receiveBytesMax) {
      throw new TargetFault(`${pdu.name} has ${pdu.dataSegmentLength} bytes of data, more than we take`);
    }
    const isPing = pdu.opcode === Opcode.nopIn && pdu.targetTransferTag !== NO_TAG;
    if (!isPing || !this.#answersPings) return false;
    const { targetTransferTag, lun } = pdu;
    this.#sendUnwatched(nopOut({ ...this.#immediate(NO_TAG), targetTransferTag, lun }));
    return true;
  }

  /** Sends requests without waiting; if the connection is gone, the next wait for a PDU fails. */
  #sendUnwatched(...pdus: readonly RequestPdu[]): void {
    this.send(...pdus).catch(() => {});
  }

  async #begin(command: Command, timeLimitMs: number): Promise<PendingCommand> {
    const isNumbered = !command.isImmediate && command.cmdSn === undefined;
    if (isNumbered) await this.#waitForWindow(timeLimitMs);
    const cmdSn = command.cmdSn ?? (isNumbered ? this.takeCmdSn() : this.nextCmdSn);
    const initiatorTaskTag = this.nextTaskTag();
    const transfer = new CommandTransfer(
      { ...command, lun: encodeLun(command.lun ?? 0) },
      initiatorTaskTag,
      this.#parameters,
    );
    const { promise, resolve, reject } = Promise.withResolvers<CommandResult>();
    // A caller that forgets the command ignores its failure.
    promise.catch(() => {});
    this.#dispatcher.open(initiatorTaskTag, {
      accept: (pdu) => {
        const answers = transfer.accept(pdu, this.expStatSn);
        if (answers.length > 0) this.#sendUnwatched(...answers);
        if (transfer.result === undefined) return;
        this.#dispatcher.close(initiatorTaskTag);
        resolve(transfer.result);
      },
      fail: reject,
    });
    this.#sendUnwatched(...transfer.begin(cmdSn, this.expStatSn));
    return {
      initiatorTaskTag,
      cmdSn,
      result: (limitMs = timeLimitMs) => this.#dispatcher.wait(promise, "finish a command", limitMs),
      forget: () => this.#dispatcher.close(initiatorTaskTag),
    };
  }

  /** Waits until the target's window accepts the next command; any PDU may open it. */
  async #waitForWindow(timeLimitMs: number): Promise<void> {
    const deadline = performance.now() + timeLimitMs;
    while (serialDistance(this.nextCmdSn, this.maxCmdSn ?? this.nextCmdSn) < 0) {
      const remaining = Math.max(1, deadline - performance.now());
      await this.#dispatcher.waitForAny(remaining);
    }
  }
}
