/** The bytes and errors of one kind of operation since the logical unit was opened. */
export class ErrorCounter {
  /** Bytes transferred successfully. */
  bytes = 0;
  /** Transfers that the medium failed. */
  uncorrectedErrors = 0;
}

/** The error counters of a logical unit (SPC-4, 7.3.6). */
export class ErrorCounters {
  readonly write = new ErrorCounter();
  readonly read = new ErrorCounter();
  readonly verify = new ErrorCounter();
}
