/**
 * Sense data in descriptor format (SPC-4, 4.5.2), converted from fixed format when D_SENSE is set in the control mode
 * page.
 *
 * ```text
 *  0  | response code 72h, 73h for a deferred error
 *  1  | sense key
 *  2-3| additional sense code and qualifier
 *  7  | additional sense length: that of the descriptors
 *  8- | descriptors: type, additional length, content
 * ```
 */

const HEADER_LENGTH_BYTES = 8;

/** Difference between the response codes of descriptor and fixed format (SPC-4, 4.5.1). */
const RESPONSE_CODE_STEP = 2;

/** VALID in byte 0 of fixed format, and in byte 2 of the information descriptor. */
const VALID = 0x80;
const RESPONSE_CODE = 0x7f;
const SENSE_KEY = 0x0f;
/** SKSV in byte 15 of fixed format. */
const SKSV = 0x80;

/** Sense data descriptor types (SPC-4, 4.5.2.1). A descriptor without content is omitted. */
const DescriptorType = {
  information: 0x00,
  commandSpecificInformation: 0x01,
  senseKeySpecific: 0x02,
} as const;

/** Encodes INFORMATION: four bytes in fixed format, eight here. */
function informationDescriptor(fixed: Uint8Array): readonly number[] {
  if ((fixed[0]! & VALID) === 0) return [];
  return [DescriptorType.information, 0x0a, VALID, 0, 0, 0, 0, 0, ...fixed.subarray(3, 7)];
}

/** Encodes COMMAND-SPECIFIC INFORMATION: four bytes in fixed format, eight here; omitted when they are zero. */
function commandSpecificDescriptor(fixed: Uint8Array): readonly number[] {
  const content = fixed.subarray(8, 12);
  if (content.every((byte) => byte === 0)) return [];
  return [DescriptorType.commandSpecificInformation, 0x0a, 0, 0, 0, 0, 0, 0, ...content];
}

/** Encodes SENSE KEY SPECIFIC: a field pointer or a progress indication. */
function senseKeySpecificDescriptor(fixed: Uint8Array): readonly number[] {
  if ((fixed[15]! & SKSV) === 0) return [];
  return [DescriptorType.senseKeySpecific, 0x06, 0, 0, ...fixed.subarray(15, 18), 0];
}

/** Converts sense data to descriptor format. The bytes of `fixed` after byte 17 are vendor specific and are dropped. */
export function toDescriptorFormat(fixed: Uint8Array): Uint8Array<ArrayBuffer> {
  const descriptors = [
    ...informationDescriptor(fixed),
    ...commandSpecificDescriptor(fixed),
    ...senseKeySpecificDescriptor(fixed),
  ];
  const sense = new Uint8Array(HEADER_LENGTH_BYTES + descriptors.length);
  sense[0] = (fixed[0]! & RESPONSE_CODE) + RESPONSE_CODE_STEP;
  sense[1] = fixed[2]! & SENSE_KEY;
  sense.set(fixed.subarray(12, 14), 2);
  sense[7] = descriptors.length;
  sense.set(descriptors, HEADER_LENGTH_BYTES);
  return sense;
}
