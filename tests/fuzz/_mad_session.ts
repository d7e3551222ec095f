/** The state that the connections of one session of mad initiators share. */
import { ISID } from "../support/initiator_login.ts";
import type { Random } from "../support/seeded_random.ts";

/** The initiator's side of a session. */
export class MadSession {
  readonly isid: Uint8Array;
  cmdSn: number;
  nextTag = 1;
  /** Numbers of requests that were rejected: open until something fills them (7.3). */
  readonly gaps: number[] = [];
  /** The TSIH of the last login. */
  tsih = 0;

  constructor(random: Random) {
    this.cmdSn = random.oneIn(3) ? 0xfffffff0 + random.below(16) : 1;
    // Now and then it is that of the witness.
    this.isid = random.oneIn(8) ? ISID : Uint8Array.of(0x80, 0, 0, 0, 0, random.below(3));
  }
}
