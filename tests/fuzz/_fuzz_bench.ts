/** The interface of a system under test in a campaign. */
import type { FakeClock } from "../support/fake_clock.ts";
import type { Initiator } from "../support/initiator.ts";
import type { ByteStream } from "../support/pipe.ts";
import type { Random } from "../support/seeded_random.ts";
import type { StoreWrite } from "./_sent_writes.ts";

/** The target that only the witness uses: its name cannot be guessed. */
export const WITNESS_TARGET = "0d5c1b7e-2f6a-4b3f-9c55-9e1d2a7b8c40";

/** The size of a medium. */
export const MEDIUM_BYTES = 1024 * 1024;

/** A node with targets for the mad initiators and one for the witness, and an operator that interferes. */
export interface FuzzBench {
  readonly clock: FakeClock;
  /** A session that does nothing wrong. */
  readonly witness: Initiator;
  readonly witnessTsih: number;
  /** Serves a connection to its end. */
  serve(stream: ByteStream): Promise<void>;
  /** The operator does something that is no business of the witness. Says what it was. */
  interfere(random: Random): string;
  /** Returns the writes that have reached the media since the last call. */
  takeWrites(): StoreWrite[];
  /**
   * All but the witness are gone.
   *
   * @throws {AssertionError} (rejects) when something is left of them
   */
  assertNothingIsLeft(random: Random): Promise<void>;
  end(): Promise<void>;
}
