import { assertEquals } from "@std/assert";
import type { Initiator } from "../support/initiator.ts";
import { ScsiStatus } from "../support/initiator_sense.ts";

/** Service actions of PERSISTENT RESERVE OUT. */
export const REGISTER = 0;
export const RESERVE = 1;
export const PREEMPT_AND_ABORT = 5;

/** A flag of its parameter list, and a type of reservation. */
export const APTPL = 0x01;
export const EXCLUSIVE_ACCESS = 3;

/** The parameters of PERSISTENT RESERVE OUT besides its service action; keys are 16 hexadecimal digits. */
export interface ReserveOutOptions {
  readonly key?: string;
  readonly newKey?: string;
  readonly flags?: number;
  readonly type?: number;
}

/** PERSISTENT RESERVE OUT, which must succeed. */
export async function reserveOut(
  initiator: Initiator,
  lun: number,
  serviceAction: number,
  { key = "", newKey = "", flags = 0, type = 0 }: ReserveOutOptions,
): Promise<void> {
  const list = new Uint8Array(24);
  list.set(Uint8Array.fromHex(key), 0);
  list.set(Uint8Array.fromHex(newKey), 8);
  list[20] = flags;
  const cdb = Uint8Array.of(0x5f, serviceAction, type, 0, 0, 0, 0, 0, 24, 0);
  assertEquals((await initiator.command({ cdb, lun, write: list })).status, ScsiStatus.good);
}
