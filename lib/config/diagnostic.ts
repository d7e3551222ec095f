/** An error or a warning about a line of a file. */
export interface Diagnostic {
  readonly severity: "error" | "warning";
  /** The file as the user named it. */
  readonly file: string;
  /** Counted from 1. */
  readonly line: number;
  /** Names the value and the remedy. */
  readonly message: string;
}

/** Formats a diagnostic as `FILE:LINE: message`, with `warning: ` before the message of a warning. */
export function formatDiagnostic(diagnostic: Diagnostic): string {
  const severity = diagnostic.severity === "warning" ? "warning: " : "";
  return `${diagnostic.file}:${diagnostic.line}: ${severity}${diagnostic.message}`;
}
