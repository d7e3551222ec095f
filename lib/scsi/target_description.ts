import type { LogicalUnit } from "./logical_unit.ts";

/** TARGET PORT GROUP of the one group to which the one port belongs (SPC-4, 5.15.2). */
export const TARGET_PORT_GROUP = 1;

/** A SCSI target device with one target port, as its commands describe it (SAM-5, 4.6). */
export interface TargetDescription extends DeviceDescription {
  /** VERSION DESCRIPTOR of iSCSI, in the version that was negotiated for the nexus. */
  readonly protocolVersion: number;
}

/** The properties of a target device that are the same for all initiators. */
export interface DeviceDescription {
  /** The device's SCSI name string: an iSCSI name. */
  readonly name: string;
  /** The port's SCSI name string: `iqn...,t,0x0001`. */
  readonly portName: string;
  /** RELATIVE TARGET PORT IDENTIFIER, from 1. */
  readonly relativePortIdentifier: number;
  /** The logical units, by number. */
  readonly logicalUnits: ReadonlyMap<number, LogicalUnit>;
}
