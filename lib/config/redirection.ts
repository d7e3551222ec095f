/** The server to which logins to a target are redirected. */
export interface Redirection {
  /** The form of a TargetAddress (RFC 7143, 13.8). */
  readonly targetAddress: string;
  /** The target has moved for good (RFC 7143, 11.13.5). */
  readonly isPermanent: boolean;
}

/** The word before the address of a target that has moved for good. */
export const PERMANENTLY = "permanently";

/** Formats a redirection as the conf writes it. */
export function formatRedirection({ targetAddress, isPermanent }: Redirection): string {
  return isPermanent ? `${PERMANENTLY} ${targetAddress}` : targetAddress;
}
