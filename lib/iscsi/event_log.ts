/**
 * Where events go that the person who runs the target may want to read: one line each, nothing per command.
 */
export interface EventLog {
  info(message: string): void;
  warning(message: string): void;
}
