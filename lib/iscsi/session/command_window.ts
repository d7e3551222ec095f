/**
 * The order of a session's commands (RFC 7143, 4.2.2.1): the next command, the commands held until those before them
 * have arrived, and the number that the initiator may send ahead.
 */
import { serialAdd, serialDistance } from "../../bytes/serial_number.ts";
import { Limits } from "../limits.ts";
import { InitiatorOpcode } from "../pdu/opcodes.ts";
import { type Frame, opcodeOf } from "../pdu/header.ts";
import { type CommandReceiver, type HeldCommand, HeldRequests } from "./held_requests.ts";

/** The memory of a held PDU besides its bytes: the objects around the copies of its segments. */
export const HELD_FRAME_BYTES = 1_024;

/** An immediate request that is held until every command before a number has arrived. */
interface HeldBehind {
  readonly cmdSN: number;
  readonly request: HeldCommand;
}

/** The CmdSN window of a session. Invariant: ExpCmdSN - 1 <= MaxCmdSN, and MaxCmdSN never decreases. */
export class CommandWindow {
  #expCmdSN: number;
  #maxCmdSN: number;
  /** By CmdSN. Undefined marks a command that was aborted before it arrived: its number is used up. */
  readonly #held = new Map<number, HeldCommand | undefined>();
  /** Immediate requests held until every command before a number has arrived. */
  #behind: HeldBehind[] = [];
  /** The requests of both. */
  readonly #requests = new HeldRequests();
  #heldBytes = 0;
  /** True when the next command has arrived, and waits for room on its connection. */
  isStalled = false;

  /** @param cmdSN the number of the next command, from the login */
  constructor(cmdSN: number) {
    this.#expCmdSN = cmdSN;
    this.#maxCmdSN = serialAdd(cmdSN, Limits.commandWindow - 1);
  }

  /** The next command expected. */
  get expCmdSN(): number {
    return this.#expCmdSN;
  }

  /** The last command that may be sent. */
  get maxCmdSN(): number {
    return this.#maxCmdSN;
  }

  /** True when the initiator may send only immediate commands. */
  get isClosed(): boolean {
    return serialDistance(this.#expCmdSN, this.#maxCmdSN) < 0;
  }

  /** Places a number: next in order, early, or outside the window. Commands outside are ignored (4.2.2.1). */
  place(cmdSN: number): "next" | "early" | "outside" {
    const distance = serialDistance(this.#expCmdSN, cmdSN);
    if (distance === 0 && serialDistance(cmdSN, this.#maxCmdSN) >= 0) return "next";
    return distance > 0 && serialDistance(cmdSN, this.#maxCmdSN) >= 0 ? "early" : "outside";
  }

  /** Moves on to the next number: the command is being carried out. */
  advance(): void {
    this.#expCmdSN = serialAdd(this.#expCmdSN, 1);
  }

  /**
   * Moves back by one number: the last command counts as not received (RFC 7143, 7.3), and another one with its number
   * is expected. MaxCmdSN stays.
   */
  retreat(): void {
    this.#expCmdSN = serialAdd(this.#expCmdSN, -1);
  }

  /** Opens the window by as much as `outstanding` commands leave of it. */
  open(outstanding: number): void {
    const maxCmdSN = serialAdd(this.#expCmdSN, Limits.commandWindow - 1 - outstanding);
    if (serialDistance(this.#maxCmdSN, maxCmdSN) > 0) this.#maxCmdSN = maxCmdSN;
  }

  /** Returns true when a command with this number is held, or was aborted before it arrived. */
  isFilled(cmdSN: number): boolean {
    return this.#held.has(cmdSN);
  }

  /** True when held commands occupy too much memory. */
  get isFull(): boolean {
    return this.#heldBytes > Limits.heldCommandBytes;
  }

  /** Returns true when a request of this connection is held. */
  holdsFor(receiver: CommandReceiver): boolean {
    return this.#requests.hasAnyOf(receiver);
  }

  /** Holds a command that arrived early. A second one with the same number is ignored. */
  hold(cmdSN: number, initiatorTaskTag: number, frame: Frame, receiver: CommandReceiver): void {
    if (this.isFilled(cmdSN)) return;
    this.#held.set(cmdSN, this.#keep(initiatorTaskTag, frame, receiver));
  }

  /** Returns true when commands before this number have not arrived. */
  isAhead(cmdSN: number): boolean {
    // The highest number that the initiator can have reached is that of the next command beyond the window.
    return serialDistance(this.#expCmdSN, cmdSN) > 0 && serialDistance(cmdSN, this.#maxCmdSN) >= -1;
  }

  /** Holds an immediate request until every command before its number has arrived. */
  holdBehind(cmdSN: number, initiatorTaskTag: number, frame: Frame, receiver: CommandReceiver): void {
    this.#behind.push({ cmdSN, request: this.#keep(initiatorTaskTag, frame, receiver) });
  }

  /** The number of immediate requests that are held. */
  get heldBehind(): number {
    return this.#behind.length;
  }

  /** Returns true when an immediate request with this number follows one of its connection that is held. */
  isBehindHeld(cmdSN: number, receiver: CommandReceiver): boolean {
    return this.#behind.length > 0 && this.isAhead(cmdSN) &&
      this.#behind.some((held) =>
        held.request.receiver === receiver && serialDistance(held.cmdSN, cmdSN) >= 0
      );
  }

  /** Returns true when a task management request with this tag is held. */
  holdsManagement(initiatorTaskTag: number): boolean {
    return this.#requests.withTag(initiatorTaskTag).some((held) =>
      isOf(held, InitiatorOpcode.taskManagementRequest)
    );
  }

  /** Holds a Data-Out for a held command of the same connection. Returns false when there is no such command. */
  holdData(initiatorTaskTag: number, frame: Frame, receiver: CommandReceiver): boolean {
    const command = this.#requests.find(receiver, initiatorTaskTag);
    command?.frames.push(this.#copy(frame));
    return command !== undefined;
  }

  /**
   * Drops the held request with this tag, if it was sent before a number (ABORT TASK). Its own number is used up.
   * Returns false when there is none.
   */
  abort(initiatorTaskTag: number, before: number): boolean {
    for (const [cmdSN, command] of this.#held) {
      if (command?.initiatorTaskTag !== initiatorTaskTag) continue;
      return serialDistance(cmdSN, before) > 0 && this.cancel(cmdSN);
    }
    return this.#dropBehind(({ request }) => request.initiatorTaskTag === initiatorTaskTag);
  }

  /** Drops immediate requests that are held. Returns true when there are any. */
  #dropBehind(isDropped: (held: HeldBehind) => boolean): boolean {
    const { length } = this.#behind;
    this.#behind = this.#behind.filter((held) => {
      if (!isDropped(held)) return true;
      this.#drop(held.request);
      return false;
    });
    return this.#behind.length < length;
  }

  /** Returns true when a request with this number is held. */
  holds(cmdSN: number): boolean {
    return this.#held.get(cmdSN) !== undefined;
  }

  /** Removes and returns the held request whose turn it is. Returns undefined when there is none, or no room for it. */
  release(): HeldCommand | undefined {
    this.isStalled = false;
    while (true) {
      const request = this.#behind.length === 0 ? undefined : this.#releaseBehind();
      if (request !== undefined) return request;
      if (!this.#held.has(this.#expCmdSN)) return undefined;
      const command = this.#held.get(this.#expCmdSN);
      this.isStalled = command?.receiver.hasRoom === false;
      if (this.isStalled) return undefined;
      this.#held.delete(this.#expCmdSN);
      if (command !== undefined) {
        this.#drop(command);
        return command;
      }
      this.advance();
    }
  }

  #releaseBehind(): HeldCommand | undefined {
    const index = this.#behind.findIndex(({ cmdSN }) => cmdSN === this.#expCmdSN);
    const request = index < 0 ? undefined : this.#behind.splice(index, 1)[0]?.request;
    if (request !== undefined) this.#drop(request);
    return request;
  }

  /**
   * Uses up every number before this one whose command has not arrived or is held (4.2.3.3 b), and drops immediate
   * commands that are held. Task management requests remain, and are answered.
   */
  plug(cmdSN: number): void {
    if (!this.isAhead(cmdSN)) return;
    for (let next = this.#expCmdSN; next !== cmdSN; next = serialAdd(next, 1)) this.cancel(next);
    this.#dropBehind((held) =>
      serialDistance(held.cmdSN, cmdSN) >= 0 && isOf(held.request, InitiatorOpcode.scsiCommand)
    );
  }

  /**
   * Uses up the number of a command that has not arrived or is held (ABORT TASK; RFC 7143, 11.5.5). The next `release`
   * continues behind it. Returns false when the number is not ahead within the window.
   */
  cancel(cmdSN: number): boolean {
    if (this.place(cmdSN) === "outside") return false;
    const command = this.#held.get(cmdSN);
    if (command !== undefined) this.#drop(command);
    this.#held.set(cmdSN, undefined);
    return true;
  }

  /** Drops the held requests of a closed connection (11.14). Their numbers stay open, for the initiator to fill. */
  forget(receiver: CommandReceiver): void {
    for (const [cmdSN, command] of this.#held) {
      if (command?.receiver !== receiver) continue;
      this.#held.delete(cmdSN);
      this.#drop(command);
    }
    this.#dropBehind(({ request }) => request.receiver === receiver);
  }

  #keep(initiatorTaskTag: number, frame: Frame, receiver: CommandReceiver): HeldCommand {
    const request = { initiatorTaskTag, receiver, frames: [this.#copy(frame)] };
    this.#requests.add(request);
    return request;
  }

  #drop(request: HeldCommand): void {
    this.#requests.remove(request);
    this.#heldBytes -= commandBytes(request);
  }

  #copy(frame: Frame): Frame {
    this.#heldBytes += frameBytes(frame);
    const { header, data, hasDataDigestError } = frame;
    return { header: header.slice(), data: data.slice(), hasDataDigestError };
  }
}

function isOf({ frames }: HeldCommand, opcode: number): boolean {
  return opcodeOf(frames[0]!.header) === opcode;
}

function commandBytes({ frames }: HeldCommand): number {
  return frames.reduce((sum, frame) => sum + frameBytes(frame), 0);
}

function frameBytes(frame: Frame): number {
  return frame.header.length + frame.data.length + HELD_FRAME_BYTES;
}
