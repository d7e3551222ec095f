import type { Session, SessionConnection } from "../session/session.ts";

/**
 * Sends MaxCmdSN in a NOP-In when no other PDU carries it to the initiator (RFC 7143, 11.4.11).
 *
 * One announcement serves all tasks that end together. When the response to a task management request is about to carry
 * the number, the announcement waits for it, unless the window was closed: an initiator that can send nothing should
 * not wait for a response that takes time. Tasks of a connection that is over can keep their places until a medium has
 * finished; the announcement then goes over another connection of the session.
 */
export class WindowAnnouncer {
  readonly #session: Session;
  readonly #connection: SessionConnection;
  #isScheduled = false;
  /** The window was closed, and has opened since the last announcement. */
  #hasReopened = false;

  constructor(session: Session, connection: SessionConnection) {
    this.#session = session;
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
    if (session.isWindowAnnounced || (session.isManagingAny && !isUrgent)) return;
    const connections = [this.#connection, ...session.connections.values()];
    connections.find(({ isOver }) => !isOver)?.announceWindow();
  }
}
