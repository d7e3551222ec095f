import type { LogicalUnit } from "./logical_unit.ts";
import { Nexus, type NexusOptions } from "./nexus.ts";
import type { DeviceDescription } from "./target_description.ts";

/** A SCSI target device (SAM-5, 4.6) with one target port: the owner of the list of its logical units. */
export class TargetDevice {
  readonly #description: DeviceDescription;
  readonly #logicalUnits: Map<number, LogicalUnit>;
  /** The numbers of the logical units by their NAA designators. */
  readonly #luns = new Map<string, number>();
  readonly #nexuses = new Set<Nexus>();

  constructor(description: DeviceDescription) {
    this.#logicalUnits = new Map(description.logicalUnits);
    this.#description = { ...description, logicalUnits: this.#logicalUnits };
    for (const [lun, { naa }] of this.#logicalUnits) this.#luns.set(naa, lun);
  }

  /** The logical units, by number. */
  get logicalUnits(): ReadonlyMap<number, LogicalUnit> {
    return this.#logicalUnits;
  }

  /**
   * Opens a nexus for an initiator port.
   *
   * @param initiatorPortName the SCSI name of the initiator port, `iqn...,i,0x...`
   */
  openNexus(initiatorPortName: string, options: Omit<NexusOptions, "lunOf" | "onClose"> = {}): Nexus {
    const lunOf = (naa: string): number | undefined => this.#luns.get(naa);
    const onClose = (nexus: Nexus): void => void this.#nexuses.delete(nexus);
    const nexus = new Nexus(this.#description, initiatorPortName, { ...options, lunOf, onClose });
    this.#nexuses.add(nexus);
    return nexus;
  }

  /** The open nexuses. */
  get nexuses(): ReadonlySet<Nexus> {
    return this.#nexuses;
  }

  /**
   * Adds a logical unit and notifies every initiator.
   *
   * @param strangers nexuses that do not get the unit, because they would mistake it for the previous one with its
   * number
   */
  add(lun: number, logicalUnit: LogicalUnit, strangers: ReadonlySet<Nexus> = new Set()): void {
    this.#logicalUnits.set(lun, logicalUnit);
    this.#luns.set(logicalUnit.naa, lun);
    for (const nexus of this.#nexuses) {
      if (!strangers.has(nexus)) nexus.add(lun, logicalUnit);
    }
  }

  /**
   * Removes a logical unit and notifies every initiator. New commands to it are refused, running ones finish.
   *
   * @returns a promise that resolves when the last one has finished
   */
  async remove(lun: number): Promise<void> {
    const logicalUnit = this.#logicalUnits.get(lun);
    if (logicalUnit === undefined) return;
    this.#logicalUnits.delete(lun);
    if (this.#luns.get(logicalUnit.naa) === lun) this.#luns.delete(logicalUnit.naa);
    await Promise.all([...this.#nexuses].map((nexus) => nexus.remove(lun, logicalUnit)));
  }
}
