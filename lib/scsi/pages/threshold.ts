/**
 * The threshold of logical block provisioning (SBC-3, 4.7.3.7). When the available space falls to the threshold of the
 * Logical Block Provisioning mode page, initiators are notified once, until it has risen and falls again.
 *
 * ```text
 *  Logical Block Provisioning mode page (SBC-3, 6.5.9), without its header
 *      0 | SITUA 0: every initiator is notified
 *  12    | ENABLED, THRESHOLD TYPE 000b: soft, THRESHOLD ARMING 000b: decreasing
 *  13    | THRESHOLD RESOURCE
 *  16-19 | THRESHOLD COUNT, in threshold sets
 * ```
 */
import { readUint32, writeUint32 } from "../../bytes/big_endian.ts";
import { countThresholdSets, Resource, type SpaceFigures } from "./provisioning.ts";

const DESCRIPTOR_OFFSET = 12;
const COUNT_OFFSET = DESCRIPTOR_OFFSET + 4;
const ENABLED = 0x80;

/** Available space at which initiators are notified by default. */
const DEFAULT_BYTES = 4 * 1024 * 1024 * 1024;

/** The default parameters of the mode page. */
export const THRESHOLD_DEFAULTS: readonly number[] = makeParameters(
  ENABLED,
  countThresholdSets(DEFAULT_BYTES),
);

/** The bits that MODE SELECT may change: ENABLED and THRESHOLD COUNT. */
export const THRESHOLD_CHANGEABLE: readonly number[] = makeParameters(ENABLED, 0xffff_ffff)
  .map((byte, index) => index === DESCRIPTOR_OFFSET + 1 ? 0 : byte);

function makeParameters(flags: number, count: number): number[] {
  const parameters = new Uint8Array(DESCRIPTOR_OFFSET + 8);
  parameters[DESCRIPTOR_OFFSET] = flags;
  parameters[DESCRIPTOR_OFFSET + 1] = Resource.available;
  writeUint32(parameters, COUNT_OFFSET, count);
  return [...parameters];
}

/** The provisioning threshold of one logical unit. */
export class Threshold {
  /** The last figures reached the threshold. */
  #isReached = false;

  /**
   * Returns whether the last figures reached the threshold, and it has not been disabled since.
   *
   * @param parameters the current parameters of the mode page
   */
  isReached(parameters: ArrayLike<number>): boolean {
    return this.#isReached && isEnabled(parameters);
  }

  /**
   * Takes new figures, and returns whether they reach the threshold and the previous ones did not.
   *
   * @param parameters the current parameters of the mode page
   */
  reaches({ availableBytes }: SpaceFigures, parameters: ArrayLike<number>): boolean {
    const count = readUint32(Uint8Array.from(parameters), COUNT_OFFSET);
    const wasReached = this.#isReached;
    this.#isReached = isEnabled(parameters) && countThresholdSets(availableBytes) <= count;
    return this.#isReached && !wasReached;
  }
}

function isEnabled(parameters: ArrayLike<number>): boolean {
  return (parameters[DESCRIPTOR_OFFSET]! & ENABLED) !== 0;
}
