/**
 * A command that has been accepted and is not yet answered (SAM-5, 5.1), as the logical unit that works on it
 * needs to know it. The transport implements it.
 */
export interface Task {
  /**
   * The task ends without a status, whatever it was waiting for.
   *
   * @returns what resolves when nothing of it reaches the medium any more; undefined when nothing does already
   */
  abort(): Promise<unknown> | undefined;
}
