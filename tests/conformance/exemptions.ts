/**
 * Tests that cannot pass, or not in full, on any kind of logical unit, each with the reason: a fault in `iscsi-test-cu`
 * 1.19 (with its request and the clause of the standard), or a function that this target refuses by intent.
 *
 * A listed test that ends otherwise is a failure, so the list has no needless entries.
 */
export interface Exemption {
  /** The outcome of the test. */
  readonly ends: "failed" | "skipped";
  /** It passes on a slow machine. */
  readonly dependsOnSpeed?: true;
  readonly reason: string;
}

const CRYPTOGRAPHIC_ERASE =
  "wants SANITIZE with the CRYPTOGRAPHIC ERASE service action too, which is refused: nothing on the medium is " +
  "encrypted, so that there is no key whose loss would erase it (SBC-3, 5.22.4). What it has to say of the other " +
  "service actions passes.";

/** By `FAMILY.TEST`. */
export const EXEMPTIONS: Readonly<Record<string, Exemption>> = {
  "Sanitize.CryptoErase": { ends: "skipped", reason: CRYPTOGRAPHIC_ERASE },
  "Sanitize.Readonly": { ends: "skipped", reason: CRYPTOGRAPHIC_ERASE },
  "Sanitize.Reservations": { ends: "skipped", reason: CRYPTOGRAPHIC_ERASE },
  "Sanitize.Reset": {
    ends: "failed",
    dependsOnSpeed: true,
    reason:
      "test_sanitize_reset.c begins an overwrite, sleeps for three seconds and wants it to be under way still, and " +
      "again after another second. Here it is over by then, as no standard says how long it has to take (SBC-3, 4.11).",
  },
  "WriteSame10.UnmapUntilEnd": {
    ends: "failed",
    reason:
      "test_writesame10_unmap_until_end.c sends a block of FFh with UNMAP=1 and expects zeros; its twin for " +
      "WRITE SAME(16) clears the block first. With LBPRZ=1 a read returns what WRITE SAME was given, whether the " +
      "target wrote or unmapped (SBC-3, 5.42), so that only blocks of zeros may be unmapped.",
  },
  "iSCSITMF.LUNResetSimpleAsync": {
    ends: "failed",
    reason:
      "test_async_lu_reset_simple.c queues the reset and in the next statement, before its event loop has sent " +
      "anything, asserts a static flag that only the callback for the response sets: no target can make it true. tgt " +
      "and LIO fail at the same line. The response that comes later is FUNCTION COMPLETE, as RFC 7143, 11.6.1 wants.",
  },
};
