import type { Frame } from "../pdu/header.ts";

/** The connection that a command arrived over, which carries it out. */
export interface CommandReceiver {
  /** True when the connection may carry out more commands: its replies have been sent, or fit into memory. */
  readonly hasRoom: boolean;
  /** Carries out a PDU whose turn has come. */
  carryOut(frame: Frame): void;
  /** Sends replies that no request from this connection caused. */
  wake(): void;
}

/** A command that arrived before its turn: copies of its PDU and of the Data-Out PDUs that followed it. */
export interface HeldCommand {
  readonly initiatorTaskTag: number;
  readonly receiver: CommandReceiver;
  readonly frames: Frame[];
}

/**
 * The held requests of a session, by their connections and tags. To add one, to remove one and to find one takes the
 * same time for any number of them. Several with one tag on one connection, which no initiator should send, are kept in
 * their order.
 */
export class HeldRequests {
  readonly #byReceiver = new Map<CommandReceiver, Map<number, HeldCommand[]>>();

  add(request: HeldCommand): void {
    const { receiver, initiatorTaskTag } = request;
    let byTag = this.#byReceiver.get(receiver);
    if (byTag === undefined) this.#byReceiver.set(receiver, byTag = new Map());
    const alike = byTag.get(initiatorTaskTag);
    if (alike === undefined) byTag.set(initiatorTaskTag, [request]);
    else alike.push(request);
  }

  remove(request: HeldCommand): void {
    const { receiver, initiatorTaskTag } = request;
    const byTag = this.#byReceiver.get(receiver)!;
    const alike = byTag.get(initiatorTaskTag)!;
    if (alike.length === 1) byTag.delete(initiatorTaskTag);
    else alike.splice(alike.indexOf(request), 1);
    if (byTag.size === 0) this.#byReceiver.delete(receiver);
  }

  /** Returns true when a request of this connection is held. */
  hasAnyOf(receiver: CommandReceiver): boolean {
    return this.#byReceiver.has(receiver);
  }

  /** Returns the first held request of a connection that has a tag. */
  find(receiver: CommandReceiver, initiatorTaskTag: number): HeldCommand | undefined {
    return this.#byReceiver.get(receiver)?.get(initiatorTaskTag)?.[0];
  }

  /** Returns the held requests that have a tag, over all connections. */
  withTag(initiatorTaskTag: number): HeldCommand[] {
    return this.#byReceiver.values().flatMap((byTag) => byTag.get(initiatorTaskTag) ?? []).toArray();
  }
}
