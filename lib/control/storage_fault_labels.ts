import type { StorageFault } from "../scsi/medium/storage_faults.ts";

/** The storage failures as text for people, to which a count is added. */
export const STORAGE_FAULT_LABELS: Readonly<Record<StorageFault, string>> = {
  readFailed: "failed reads",
  writeFailed: "failed writes",
  flushFailed: "failed flushes",
  outOfSpace: "writes without space",
  reservationsFailed: "reservations not saved",
  holeFailed: "holes refused",
};
