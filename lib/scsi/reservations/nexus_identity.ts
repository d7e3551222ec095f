/** The identity of an I_T nexus: the names of its ports, which stay the same when the initiator logs in again. */
export interface NexusIdentity {
  /** The initiator port's SCSI name: `iqn...,i,0x...` with the 12 hexadecimal digits of its ISID. */
  readonly initiatorPort: string;
  /** The target port's RELATIVE TARGET PORT IDENTIFIER. */
  readonly targetPort: number;
}

/** Returns the identity as a key of maps. */
export function nexusId({ initiatorPort, targetPort }: NexusIdentity): string {
  return `${targetPort},${initiatorPort}`;
}
