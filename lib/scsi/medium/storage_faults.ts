/** Failures of a logical unit's storage, as they are reported to people; initiators get sense data. */
import { StoreError, type StoreErrorKind } from "../../store/block_store.ts";

/** The ways in which the storage fails: those of a store that mean a fault of the medium, and one of its own. */
export const STORAGE_FAULTS = [
  "readFailed",
  "writeFailed",
  "flushFailed",
  "outOfSpace",
  /** A change of the persistent reservations could not be saved. */
  "reservationsFailed",
] as const satisfies readonly (StoreErrorKind | "reservationsFailed")[];

/** One of the ways. */
export type StorageFault = typeof STORAGE_FAULTS[number];

/** The failures of a logical unit's storage since it was opened, as plain data. */
export interface StorageFaultFigures {
  /** Only of those that there were. */
  readonly counts: Partial<Readonly<Record<StorageFault, number>>>;
  /** Null when there was none. */
  readonly last: {
    readonly kind: StorageFault;
    /** In the words of the store. */
    readonly reason: string;
    /** Milliseconds since 1970. */
    readonly atMs: number;
  } | null;
}

/** A logical unit whose storage has never failed. */
export const NO_STORAGE_FAULTS: StorageFaultFigures = Object.freeze({ counts: {}, last: null });

/** A receiver of the failures of a logical unit's storage. */
export interface StorageFaultReport {
  /** Takes note of a failure. */
  add(kind: StorageFault, error: StoreError): void;
  /** Returns what there was. */
  figures(): StorageFaultFigures;
}

/** Reports an error, if it is a failure of a store's medium. */
export function reportStorageFault(report: StorageFaultReport | undefined, error: unknown): void {
  if (report === undefined || !(error instanceof StoreError)) return;
  const kind = STORAGE_FAULTS.find((fault) => fault === error.kind);
  if (kind !== undefined) report.add(kind, error);
}
