/**
 * Text exchanges in full-feature phase (RFC 7143, 6.4, 11.10 and 11.11): one at a time on a connection, in as many PDUs
 * as the text of either side needs.
 */
import type { TextRequest } from "../pdu/initiator_pdus.ts";
import { Limits } from "../limits.ts";
import type { Negotiation } from "./negotiation.ts";
import { rejected } from "../pdu/protocol_error.ts";
import { RejectReason } from "../pdu/reject_reason.ts";
import type { TextBudget } from "./text_budget.ts";
import { decodeText, encodeText, type KeyValue, TextAssembly, TextPieces } from "../pdu/text.ts";
import { RESERVED_TAG } from "../pdu/header.ts";

/** Memory of one key of an exchange: its name, and its entry in the set. */
const KEY_BYTES = 128;

/** A tag that no exchange has. */
const NO_EXCHANGE = 0;

/** The greatest tag of an exchange. */
const TAG_MAX = 0x7fffffff;

/** The response to one Text Request. */
export interface TextReply {
  readonly final: boolean;
  readonly continued: boolean;
  readonly targetTransferTag: number;
  readonly data: Uint8Array;
}

/** The collaborators of a connection's text exchanges. */
export interface TextNegotiationOptions {
  /** The keys of the connection. */
  readonly negotiation: Negotiation;
  /** The budget that all connections share. */
  readonly textBudget: TextBudget;
  /** Returns the targets that the initiator may discover; undefined when the value is not supported. */
  readonly sendTargets: (value: string) => readonly KeyValue[] | undefined;
  /** Logs a violation of the RFC that is tolerated. */
  readonly overlooked: (what: string) => void;
}

/** A connection's text exchanges. */
export class TextNegotiation {
  readonly #negotiation: Negotiation;
  readonly #textBudget: TextBudget;
  readonly #sendTargets: TextNegotiationOptions["sendTargets"];
  readonly #overlooked: TextNegotiationOptions["overlooked"];
  /** The part of the budget that this connection uses. */
  #heldBytes = 0;
  #incoming = new TextAssembly(Limits.textBytes);
  #outgoing = new TextPieces(new Uint8Array());
  #targetTransferTag = NO_EXCHANGE;
  /** The keys of this exchange so far. */
  #keys = new Set<string>();

  constructor(options: TextNegotiationOptions) {
    this.#negotiation = options.negotiation;
    this.#textBudget = options.textBudget;
    this.#sendTargets = options.sendTargets;
    this.#overlooked = options.overlooked;
  }

  /**
   * Answers a request with at most `bytesMax` of text.
   *
   * @throws {ProtocolError} to be answered with a Reject, which ends the exchange
   */
  receive(pdu: TextRequest, bytesMax: number): TextReply {
    const { targetTransferTag } = pdu;
    // 11.10.4: a request without a tag begins a new exchange, and abandons an incomplete one.
    if (targetTransferTag === RESERVED_TAG || this.#isWithoutTag(pdu)) this.abandon();
    else if (targetTransferTag !== this.#targetTransferTag) {
      throw rejected(RejectReason.protocolError, "Text Request continues an exchange that does not exist");
    }
    try {
      if (this.#outgoing.done) this.#take(pdu);
      const reply = this.#reply(pdu, this.#outgoing.take(bytesMax));
      this.#updateBudget();
      return reply;
    } catch (error) {
      // 6.4: values of an exchange that ends with a Reject never take effect.
      this.abandon();
      throw error;
    }
  }

  /**
   * Returns true for tag 0 where nothing can be continued. In the middle of a text it is refused: a new exchange would
   * cut the text short, and neither side would notice.
   */
  #isWithoutTag({ targetTransferTag }: TextRequest): boolean {
    const isInText = !this.#outgoing.done || this.#incoming.heldBytes > 0;
    if (targetTransferTag !== NO_EXCHANGE || isInText) return false;
    this.#overlooked("a Text Request begins an exchange with the target transfer tag 0 instead of FFFFFFFFh");
    return true;
  }

  /** Abandons the current exchange, if there is one. */
  abandon(): void {
    this.#negotiation.abandon();
    this.#keys = new Set();
    this.#incoming = new TextAssembly(Limits.textBytes);
    this.#outgoing = new TextPieces(new Uint8Array());
    this.#targetTransferTag = this.#targetTransferTag % TAG_MAX + 1;
    this.#updateBudget();
  }

  /** Accounts for the text that is held now; a request for which there is no room is rejected (11.11.4). */
  #updateBudget(): void {
    const bytes = this.#incoming.heldBytes + this.#outgoing.length + this.#keys.size * KEY_BYTES;
    if (!this.#textBudget.change(this.#heldBytes, bytes)) {
      throw rejected(
        RejectReason.longOperationReject,
        "Texts of other initiators use up the text budget",
      );
    }
    this.#heldBytes = bytes;
  }

  #take(pdu: TextRequest): void {
    if (!this.#incoming.add(pdu.data)) {
      throw rejected(RejectReason.protocolError, `Text is longer than ${Limits.textBytes} bytes`);
    }
    if (!pdu.continued) this.#outgoing = new TextPieces(encodeText(this.#answer(this.#incoming.take())));
  }

  #answer(text: Uint8Array): KeyValue[] {
    const pairs = decodeText(text, Limits);
    if (typeof pairs === "string") throw rejected(RejectReason.protocolError, pairs);
    const answers: KeyValue[] = [];
    for (const [key, value] of pairs) {
      // 6.2: a key is negotiated once. Repeated requests for the list of targets would also have endless answers.
      if (this.#keys.has(key)) {
        throw rejected(RejectReason.protocolError, `Text exchange has ${key} more than once`);
      }
      if (this.#keys.size === Limits.textKeys) {
        throw rejected(RejectReason.protocolError, `Text exchange has more than ${Limits.textKeys} keys`);
      }
      this.#keys.add(key);
      if (key === "SendTargets") {
        answers.push(...this.#sendTargets(value) ?? [[key, "Reject"] as const]);
        continue;
      }
      const answer = this.#negotiation.answer([[key, value]], "full");
      if (typeof answer === "string") throw rejected(RejectReason.protocolError, answer);
      answers.push(...answer);
    }
    return answers;
  }

  #reply(pdu: TextRequest, data: Uint8Array): TextReply {
    const continued = !this.#outgoing.done;
    // 11.11.1: only a final request gets a final answer.
    const final = pdu.final && !continued;
    if (final) this.#conclude();
    return { final, continued, targetTransferTag: final ? RESERVED_TAG : this.#targetTransferTag, data };
  }

  /** Completes the exchange: its values take effect, and its memory is freed. */
  #conclude(): void {
    this.#negotiation.conclude();
    this.abandon();
  }
}
