/**
 * The limits of this copy manager, which RECEIVE COPY OPERATING PARAMETERS and the Third-party Copy VPD page report and
 * EXTENDED COPY enforces.
 */
export const CopyLimits = {
  /** MAXIMUM CSCD DESCRIPTOR COUNT. */
  cscdDescriptors: 16,
  /** MAXIMUM SEGMENT DESCRIPTOR COUNT. */
  segmentDescriptors: 256,
  /** MAXIMUM CONCURRENT COPIES, of one I_T_L nexus. */
  concurrentCopies: 8,
} as const;

/** Descriptor type codes (SPC-4, 6.4.4), each with its length in bytes. */
export const CopyDescriptor = {
  /** Block device to block device. */
  blockToBlock: { type: 0x02, lengthBytes: 28 },
  /** Identification descriptor CSCD. */
  identification: { type: 0xe4, lengthBytes: 32 },
} as const;

/** MAXIMUM DESCRIPTOR LIST LENGTH: the length of as many descriptors as are allowed. */
export const DESCRIPTOR_LIST_LENGTH_MAX_BYTES =
  CopyLimits.cscdDescriptors * CopyDescriptor.identification.lengthBytes +
  CopyLimits.segmentDescriptors * CopyDescriptor.blockToBlock.lengthBytes;
