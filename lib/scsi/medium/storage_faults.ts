/** Storage failures of a logical unit, as the status and the metrics report them. Initiators get sense data. */
import { StoreError, type StoreErrorKind } from "../../store/block_store.ts";

/** The kinds of storage failures: the store errors that mean a fault of the medium, and two more. */
export const STORAGE_FAULTS = [
  "readFailed",
  "writeFailed",
  "flushFailed",
  "outOfSpace",
  /** A change of the persistent reservations could not be saved. */
  "reservationsFailed",
  /** A hole was refused, so unused space was not released. */
  "holeFailed",
] as const satisfies readonly (StoreErrorKind | "reservationsFailed" | "holeFailed")[];

/** One of `STORAGE_FAULTS`. */
export type StorageFault = typeof STORAGE_FAULTS[number];

/** The storage failures of a logical unit since it was opened. */
export interface StorageFaultFigures {
  /** Kinds that have occurred; the others are absent. */
  readonly counts: Partial<Readonly<Record<StorageFault, number>>>;
  /** Null without a failure. */
  readonly last: {
    readonly kind: StorageFault;
    /** The message of the store. */
    readonly reason: string;
    /** Milliseconds since 1970. */
    readonly atMs: number;
  } | null;
}

/** The figures of a logical unit without storage failures. */
export const NO_STORAGE_FAULTS: StorageFaultFigures = Object.freeze({ counts: {}, last: null });

/** A receiver of the storage failures of a logical unit. */
export interface StorageFaultReport {
  /** Records a failure. */
  add(kind: StorageFault, error: StoreError): void;
  /** Returns the recorded failures. */
  figures(): StorageFaultFigures;
}

/** Reports an error if it is a failure of the medium. */
export function reportStorageFault(report: StorageFaultReport | undefined, error: unknown): void {
  if (report === undefined || !(error instanceof StoreError)) return;
  const kind = STORAGE_FAULTS.find((fault) => fault === error.kind);
  if (kind !== undefined) report.add(kind, error);
}
