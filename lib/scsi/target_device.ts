import { Nexus } from "./nexus.ts";
import type { TargetDescription } from "./target_description.ts";

/** A SCSI target device (SAM-5, 4.6) with one target port. */
export class TargetDevice {
  readonly #description: TargetDescription;

  constructor(description: TargetDescription) {
    this.#description = description;
  }

  /**
   * Makes an initiator port known to the logical units.
   *
   * @param initiatorPortName the SCSI name of the initiator port, `iqn...,i,0x...`
   * @param others the nexuses of the same initiator whose logical units it may copy to and from, as they are then
   */
  openNexus(initiatorPortName: string, others?: () => Iterable<Nexus>): Nexus {
    return new Nexus(this.#description, initiatorPortName, others);
  }
}
