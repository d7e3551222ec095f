/**
 * Text requests in full-feature phase (RFC 7143, 6.4, 11.10 and 11.11): one exchange at a time on a connection, in as
 * many PDUs as either side's text needs.
 */
import { serialAdd } from "../../bytes/serial_number.ts";
import type { TextRequest } from "../pdu/initiator_pdus.ts";
import { Limits } from "../limits.ts";
import type { Negotiation } from "./negotiation.ts";
import type { NegotiationRequest } from "./negotiation_request.ts";
import { rejected } from "../pdu/protocol_error.ts";
import { RejectReason } from "../pdu/reject_reason.ts";
import type { TextBudget } from "./text_budget.ts";
import { decodeText, encodeText, type KeyValue, TextAssembly, TextPieces } from "../pdu/text.ts";
import { RESERVED_TAG } from "../pdu/header.ts";

/** What a key that an exchange has been about takes in memory: its name, and its place in the set. */
const KEY_BYTES = 128;

/** What is answered to one Text Request. */
export interface TextReply {
  readonly final: boolean;
  readonly continued: boolean;
  readonly targetTransferTag: number;
  readonly data: Uint8Array;
}

/** What text exchanges are about. */
export interface TextNegotiationOptions {
  /** The keys of the connection. */
  readonly negotiation: Negotiation;
  /** Whether the target has asked for a negotiation. */
  readonly request: NegotiationRequest;
  /** What the target declares when it has. */
  readonly declarations: () => readonly KeyValue[];
  /** What all connections keep. */
  readonly retained: TextBudget;
  /** The targets that the initiator may be told of; undefined when the value is not served here. */
  readonly sendTargets: (value: string) => readonly KeyValue[] | undefined;
}

/** A connection's text exchanges. */
export class TextNegotiation {
  readonly #negotiation: Negotiation;
  readonly #request: NegotiationRequest;
  readonly #declarations: () => readonly KeyValue[];
  readonly #retained: TextBudget;
  readonly #sendTargets: TextNegotiationOptions["sendTargets"];
  /** What of `#retained` is this connection's. */
  #retainedBytes = 0;
  #incoming = new TextAssembly(Limits.textBytes);
  #outgoing = new TextPieces(new Uint8Array());
  #targetTransferTag = 0;
  /** Keys that this exchange has been about so far. */
  #keys = new Set<string>();
  /** The target has declared in this exchange what it has asked to be negotiated for. */
  #hasDeclared = false;

  constructor(options: TextNegotiationOptions) {
    this.#negotiation = options.negotiation;
    this.#request = options.request;
    this.#declarations = options.declarations;
    this.#retained = options.retained;
    this.#sendTargets = options.sendTargets;
  }

  /**
   * Answers a request with at most `bytesMax` of text.
   *
   * @throws {ProtocolError} to be answered by Reject, which ends the exchange
   */
  receive(pdu: TextRequest, bytesMax: number): TextReply {
    // 11.10.4: without a tag it begins a new exchange, whatever became of the one before.
    if (pdu.targetTransferTag === RESERVED_TAG) this.abandon();
    else if (pdu.targetTransferTag !== this.#targetTransferTag) {
      throw rejected(RejectReason.protocolError, "Text Request continues an exchange that does not exist");
    }
    try {
      if (this.#outgoing.done) this.#take(pdu);
      const reply = this.#reply(pdu, this.#outgoing.take(bytesMax));
      this.#retain();
      return reply;
    } catch (error) {
      // 6.4: what was settled in an exchange that ends with a Reject never holds, and nothing can be added to it.
      this.abandon();
      throw error;
    }
  }

  /** Keeps nothing of the exchange that is under way, if there is one. */
  abandon(): void {
    this.#negotiation.abandon();
    this.#keys = new Set();
    this.#hasDeclared = false;
    this.#incoming = new TextAssembly(Limits.textBytes);
    this.#outgoing = new TextPieces(new Uint8Array());
    this.#targetTransferTag = serialAdd(this.#targetTransferTag, 1) & 0x7fffffff;
    this.#retain();
  }

  /** 11.11.4: a target that has to keep more than it has room for rejects the request. */
  #retain(): void {
    const bytes = this.#incoming.heldBytes + this.#outgoing.length + this.#keys.size * KEY_BYTES;
    if (!this.#retained.change(this.#retainedBytes, bytes)) {
      throw rejected(
        RejectReason.longOperationReject,
        "Text of other initiators leaves no room in the budget",
      );
    }
    this.#retainedBytes = bytes;
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
    const answers = this.#declare();
    for (const [key, value] of pairs) {
      // 6.2: a key is negotiated once. A list of targets, asked for again and again, would be endless too.
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

  /** 11.9.1: what the target has asked for this negotiation to declare; once in an exchange. */
  #declare(): KeyValue[] {
    if (!this.#request.isOpen || this.#hasDeclared) return [];
    this.#hasDeclared = true;
    return [...this.#declarations()];
  }

  #reply(pdu: TextRequest, data: Uint8Array): TextReply {
    const continued = !this.#outgoing.done;
    // 11.11.1: the answer to a request that is not final is not final either.
    const final = pdu.final && !continued;
    if (final) this.#conclude();
    return { final, continued, targetTransferTag: final ? RESERVED_TAG : this.#targetTransferTag, data };
  }

  /** What the exchange has settled holds, and nothing of it is kept. */
  #conclude(): void {
    this.#negotiation.conclude();
    if (this.#hasDeclared) this.#request.end("negotiated");
    this.abandon();
  }
}
