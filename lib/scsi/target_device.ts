import type { LogicalUnit } from "./logical_unit.ts";
import { Nexus, type NexusOptions } from "./nexus.ts";
import type { DeviceDescription } from "./target_description.ts";

/** A SCSI target device (SAM-5, 4.6) with one target port: the owner of the list of its logical units. */
export class TargetDevice {
  readonly #description: DeviceDescription;
  readonly #logicalUnits: Map<number, LogicalUnit>;
  readonly #nexuses = new Set<Nexus>();

  constructor(description: DeviceDescription) {
    this.#logicalUnits = new Map(description.logicalUnits);
    this.#description = { ...description, logicalUnits: this.#logicalUnits };
  }

  /** By logical unit number. */
  get logicalUnits(): ReadonlyMap<number, LogicalUnit> {
    return this.#logicalUnits;
  }

  /**
   * Makes an initiator port known to the logical units.
   *
   * @param initiatorPortName the SCSI name of the initiator port, `iqn...,i,0x...`
   * @param options what else is known of it
   */
  openNexus(initiatorPortName: string, options: Omit<NexusOptions, "onClose"> = {}): Nexus {
    const onClose = (nexus: Nexus): void => void this.#nexuses.delete(nexus);
    const nexus = new Nexus(this.#description, initiatorPortName, { ...options, onClose });
    this.#nexuses.add(nexus);
    return nexus;
  }

  /** Those who can reach it now. */
  get nexuses(): ReadonlySet<Nexus> {
    return this.#nexuses;
  }

  /**
   * Has one more logical unit, of which every initiator is told.
   *
   * @param strangers who must not know it before they log in again: they would take it for the one that had its number
   */
  add(lun: number, logicalUnit: LogicalUnit, strangers: ReadonlySet<Nexus> = new Set()): void {
    this.#logicalUnits.set(lun, logicalUnit);
    for (const nexus of this.#nexuses) {
      if (!strangers.has(nexus)) nexus.add(lun, logicalUnit);
    }
  }

  /**
   * Has a logical unit no more, of which every initiator is told: whatever is sent to it from now on is refused. What
   * is under way ends as it would.
   *
   * @returns what resolves when nothing is
   */
  async remove(lun: number): Promise<void> {
    const logicalUnit = this.#logicalUnits.get(lun);
    if (logicalUnit === undefined) return;
    this.#logicalUnits.delete(lun);
    await Promise.all([...this.#nexuses].map((nexus) => nexus.remove(lun, logicalUnit)));
  }
}
