/** An I_T nexus by the names of its ports, which are the same again when the initiator logs in again. */
export interface NexusIdentity {
  /** The initiator port's SCSI name: `iqn...,i,0x...` with the 12 hexadecimal digits of its ISID. */
  readonly initiatorPort: string;
  /** The target port's RELATIVE TARGET PORT IDENTIFIER. */
  readonly targetPort: number;
}

/** The identity as one word, to find it by. */
export function nexusId({ initiatorPort, targetPort }: NexusIdentity): string {
  return `${targetPort},${initiatorPort}`;
}
