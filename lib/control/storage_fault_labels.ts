import type { StorageFault } from "../scsi/medium/storage_faults.ts";

/** The failures of storage in words for people; a number follows. */
export const STORAGE_FAULT_LABELS: Readonly<Record<StorageFault, string>> = {
  readFailed: "failed reads",
  writeFailed: "failed writes",
  flushFailed: "failed flushes",
  outOfSpace: "writes without space",
  reservationsFailed: "reservations not saved",
};
