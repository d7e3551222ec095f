/** What a logical unit has done of one kind since it was opened, and what went wrong. */
export class ErrorCounter {
  /** Bytes that reached their destination. */
  bytes = 0;
  /** Transfers that the medium failed. */
  uncorrectedErrors = 0;
}

/** The counters of a logical unit, by what is counted (SPC-4, 7.3.6). */
export class ErrorCounters {
  readonly write = new ErrorCounter();
  readonly read = new ErrorCounter();
  readonly verify = new ErrorCounter();
}
