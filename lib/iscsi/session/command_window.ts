/**
 * The order of a session's commands (RFC 7143, 4.2.2.1): which command comes next, which wait for those before them,
 * and how many the initiator may send ahead.
 */
import { serialAdd, serialDistance } from "../../bytes/serial_number.ts";
import { Limits } from "../limits.ts";
import { InitiatorOpcode } from "../pdu/opcodes.ts";
import { type Frame, opcodeOf } from "../pdu/header.ts";

/** What a PDU that is held takes in memory besides its bytes: the objects around the copies of its segments. */
export const HELD_FRAME_BYTES = 1_024;

/** The connection that a command came over: there it is carried out when its turn has come. */
export interface CommandReceiver {
  /** It may carry out more commands: what answers those before them has gone, or fits into memory. */
  readonly hasRoom: boolean;
  /** Its turn has come. */
  carryOut(frame: Frame): void;
  /** Something is to be sent that no request from this connection brought about. */
  wake(): void;
}

/** A command that came before its turn: its PDU and the Data-Out PDUs that followed it, copied from the stream. */
export interface HeldCommand {
  readonly initiatorTaskTag: number;
  readonly receiver: CommandReceiver;
  readonly frames: Frame[];
}

/** A session's CmdSN window. The invariant: ExpCmdSN - 1 <= MaxCmdSN, and MaxCmdSN never decreases. */
export class CommandWindow {
  #expCmdSN: number;
  #maxCmdSN: number;
  /** By CmdSN. A command that was aborted before it came is held as undefined: its number is used up. */
  readonly #held = new Map<number, HeldCommand | undefined>();
  /** Immediate requests that wait until every command before a number has come. */
  #behind: { readonly cmdSN: number; readonly request: HeldCommand }[] = [];
  #heldBytes = 0;
  /** The next command has come, and waits only for room on its connection. */
  isStalled = false;

  /** @param cmdSN the number of the next command, as the login carried it */
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

  /** The initiator may send nothing but immediate commands. */
  get isClosed(): boolean {
    return serialDistance(this.#expCmdSN, this.#maxCmdSN) < 0;
  }

  /** Whether the command comes in its turn, before its turn, or outside the window (4.2.2.1: then it is ignored). */
  place(cmdSN: number): "next" | "early" | "outside" {
    const distance = serialDistance(this.#expCmdSN, cmdSN);
    if (distance === 0 && serialDistance(cmdSN, this.#maxCmdSN) >= 0) return "next";
    return distance > 0 && serialDistance(cmdSN, this.#maxCmdSN) >= 0 ? "early" : "outside";
  }

  /** The next command has been taken up. */
  advance(): void {
    this.#expCmdSN = serialAdd(this.#expCmdSN, 1);
  }

  /**
   * The command that was taken up last counts as not received (RFC 7143, 7.3): another one with its number is expected.
   * What the initiator may send ahead, it may all the same.
   */
  retreat(): void {
    this.#expCmdSN = serialAdd(this.#expCmdSN, -1);
  }

  /** Lets the initiator send ahead as much as is left of the window beside `outstanding` commands. */
  open(outstanding: number): void {
    const maxCmdSN = serialAdd(this.#expCmdSN, Limits.commandWindow - 1 - outstanding);
    if (serialDistance(this.#maxCmdSN, maxCmdSN) > 0) this.#maxCmdSN = maxCmdSN;
  }

  /** A command with this number waits for its turn, or was aborted before it came. */
  isFilled(cmdSN: number): boolean {
    return this.#held.has(cmdSN);
  }

  /** Too much is held. */
  get isFull(): boolean {
    return this.#heldBytes > Limits.heldCommandBytes;
  }

  /** A command that came over this connection is held. */
  holdsFor(receiver: CommandReceiver): boolean {
    return this.#held.values().some((command) => command?.receiver === receiver);
  }

  /** Keeps a command that came early; a second one with the same number is ignored. */
  hold(cmdSN: number, initiatorTaskTag: number, frame: Frame, receiver: CommandReceiver): void {
    if (this.isFilled(cmdSN)) return;
    this.#held.set(cmdSN, { initiatorTaskTag, receiver, frames: [this.#copy(frame)] });
  }

  /** Commands before this number are still to come. */
  isAhead(cmdSN: number): boolean {
    // The next command that the initiator may not send yet is as far as its numbers can have come.
    return serialDistance(this.#expCmdSN, cmdSN) > 0 && serialDistance(cmdSN, this.#maxCmdSN) >= -1;
  }

  /** Keeps an immediate request until every command before its number has come. */
  holdBehind(cmdSN: number, initiatorTaskTag: number, frame: Frame, receiver: CommandReceiver): void {
    this.#behind.push({ cmdSN, request: { initiatorTaskTag, receiver, frames: [this.#copy(frame)] } });
  }

  /** How many immediate requests are kept. */
  get heldBehind(): number {
    return this.#behind.length;
  }

  /** A task management request with this tag waits, for its turn or behind others. */
  holdsManagement(initiatorTaskTag: number): boolean {
    const waiting = [...this.#held.values(), ...this.#behind.map(({ request }) => request)];
    return waiting.some((held) =>
      held?.initiatorTaskTag === initiatorTaskTag &&
      opcodeOf(held.frames[0]!.header) === InitiatorOpcode.taskManagementRequest
    );
  }

  /** Keeps a Data-Out for a command of the same connection that is held; false when there is no such command. */
  holdData(initiatorTaskTag: number, frame: Frame, receiver: CommandReceiver): boolean {
    if (this.#held.size === 0) return false;
    for (const command of this.#held.values()) {
      if (command?.initiatorTaskTag === initiatorTaskTag && command.receiver === receiver) {
        command.frames.push(this.#copy(frame));
        return true;
      }
    }
    return false;
  }

  /** Takes out what is held and whose turn it is, if there is something and its connection has room for it. */
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
        this.#heldBytes -= commandBytes(command);
        return command;
      }
      this.advance();
    }
  }

  #releaseBehind(): HeldCommand | undefined {
    const index = this.#behind.findIndex(({ cmdSN }) => cmdSN === this.#expCmdSN);
    const request = index < 0 ? undefined : this.#behind.splice(index, 1)[0]?.request;
    if (request !== undefined) this.#heldBytes -= commandBytes(request);
    return request;
  }

  /** Uses up every number before this one whose command has not come (4.2.3.3 b), or is held. */
  plug(cmdSN: number): void {
    if (!this.isAhead(cmdSN)) return;
    for (let next = this.#expCmdSN; next !== cmdSN; next = serialAdd(next, 1)) this.cancel(next);
  }

  /**
   * Uses up the number of a command that was not received yet or is held (RFC 7143, 11.5.5: ABORT TASK). The next
   * `release` goes on behind it.
   *
   * @returns whether the number lay within the window and ahead
   */
  cancel(cmdSN: number): boolean {
    if (this.place(cmdSN) === "outside") return false;
    const command = this.#held.get(cmdSN);
    if (command !== undefined) {
      this.#heldBytes -= commandBytes(command);
    }
    this.#held.set(cmdSN, undefined);
    return true;
  }

  /** Drops what a connection brought that is gone (11.14): its numbers stay open, for the initiator to fill. */
  forget(receiver: CommandReceiver): void {
    for (const [cmdSN, command] of this.#held) {
      if (command?.receiver !== receiver) continue;
      this.#held.delete(cmdSN);
      this.#heldBytes -= commandBytes(command);
    }
    for (const { request } of this.#behind) {
      if (request.receiver === receiver) this.#heldBytes -= commandBytes(request);
    }
    this.#behind = this.#behind.filter(({ request }) => request.receiver !== receiver);
  }

  #copy(frame: Frame): Frame {
    this.#heldBytes += frameBytes(frame);
    const { header, data, hasDataDigestError } = frame;
    return { header: header.slice(), data: data.slice(), hasDataDigestError };
  }
}

function commandBytes({ frames }: HeldCommand): number {
  return frames.reduce((sum, frame) => sum + frameBytes(frame), 0);
}

function frameBytes(frame: Frame): number {
  return frame.header.length + frame.data.length + HELD_FRAME_BYTES;
}
