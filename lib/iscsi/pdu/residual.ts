/** The difference between what an initiator expects and what a command transfers (RFC 7143, 11.4.5). */
export interface Residual {
  readonly kind: "none" | "underflow" | "overflow";
  readonly bytes: number;
}

/** As much was transferred as the initiator expected. */
const NO_RESIDUAL: Residual = { kind: "none", bytes: 0 };

/** What is left over between what the initiator expects and what the command transfers. */
export function residualOf(expectedBytes: number, commandBytes: number): Residual {
  if (expectedBytes === commandBytes) return NO_RESIDUAL;
  return expectedBytes > commandBytes
    ? { kind: "underflow", bytes: expectedBytes - commandBytes }
    : { kind: "overflow", bytes: commandBytes - expectedBytes };
}
