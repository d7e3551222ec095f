import type { Session } from "../session/session.ts";
import type { ReplyWriter } from "../wire/reply_writer.ts";

/** The connection that an announcement is sent over. */
interface AnnouncingConnection {
  readonly isOver: boolean;
  wake(): void;
}

/**
 * Sends MaxCmdSN in a NOP-In when no other PDU carries it to the initiator (RFC 7143, 11.4.11).
 *
 * One announcement serves all tasks that end together. When the response to a task management request is about to carry
 * the number, the announcement waits for it, unless the window was closed: an initiator that can send nothing should
 * not wait for a response that takes time.
 */
export class WindowAnnouncer {
  readonly #session: Session;
  readonly #replies: ReplyWriter;
  readonly #connection: AnnouncingConnection;
  #isScheduled = false;
  /** The window was closed, and has opened since the last announcement. */
  #hasReopened = false;

  constructor(session: Session, replies: ReplyWriter, connection: AnnouncingConnection) {
    this.#session = session;
    this.#replies = replies;
    this.#connection = connection;
  }

  /** Opens the window, and announces it once the current PDU has been carried out. */
  openWindow(): void {
    const { window } = this.#session;
    const wasClosed = window.isClosed;
    this.#session.openWindow();
    this.#hasReopened ||= wasClosed && !window.isClosed;
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    queueMicrotask(() => this.#announce());
  }

  #announce(): void {
    const isUrgent = this.#hasReopened;
    this.#isScheduled = this.#hasReopened = false;
    const session = this.#session;
    if (this.#connection.isOver || session.isWindowAnnounced || (session.isManagingAny && !isUrgent)) return;
    this.#replies.nopInForWindow();
    this.#connection.wake();
  }
}
