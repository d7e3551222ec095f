/** The difference between the bytes that an initiator expects and those of the command (RFC 7143, 11.4.5). */
export interface Residual {
  readonly kind: "none" | "underflow" | "overflow";
  readonly bytes: number;
}

const NO_RESIDUAL: Residual = { kind: "none", bytes: 0 };

/** Returns the residual of a command that transfers `commandBytes` where the initiator expects `expectedBytes`. */
export function residualOf(expectedBytes: number, commandBytes: number): Residual {
  if (expectedBytes === commandBytes) return NO_RESIDUAL;
  return expectedBytes > commandBytes
    ? { kind: "underflow", bytes: expectedBytes - commandBytes }
    : { kind: "overflow", bytes: commandBytes - expectedBytes };
}
