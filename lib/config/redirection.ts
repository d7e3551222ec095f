/** Another server to which the logins to a target are sent. */
export interface Redirection {
  /** Where it is, in the form of a TargetAddress (RFC 7143, 13.8). */
  readonly targetAddress: string;
  /** Initiators may forget that the target was here (RFC 7143, 11.13.5). */
  readonly isPermanent: boolean;
}

/** The word that stands before the address of a target that does not come back. */
export const PERMANENTLY = "permanently";

/** As the conf writes it. */
export function formatRedirection({ targetAddress, isPermanent }: Redirection): string {
  return isPermanent ? `${PERMANENTLY} ${targetAddress}` : targetAddress;
}
