import type { Clock } from "../../iscsi/clock.ts";
import type { LogicalUnit } from "../../scsi/logical_unit.ts";
import type { TrimFigures } from "../../scsi/medium/trimmer.ts";
import { TrimPace } from "./trim_pace.ts";
import type { TrimLimits } from "./trim_limits.ts";

/** The state of a served logical unit that a trim depends on. */
export interface UnitToTrim {
  readonly path: string;
  readonly logicalUnit: LogicalUnit;
  /** The reason for which it is not ready; undefined when it is. */
  readonly problem: string | undefined;
  readonly readOnly: boolean;
  readonly clock: Clock;
}

/**
 * Gives the space of blocks of a served logical unit back that hold only zeros.
 *
 * @throws {Error} (rejects) when that is not possible now; the message is for the user
 */
export async function trimUnit(
  { path, logicalUnit, problem, readOnly, clock }: UnitToTrim,
  { extents, bytesPerSecond }: TrimLimits,
): Promise<TrimFigures> {
  const { trimmer, eraser, store } = logicalUnit;
  const obstacle = problem ??
    (readOnly ? `"${path}" is read-only` : undefined) ??
    (store.canUnmap ? undefined : `space of "${path}" cannot be released; see the log of the server`) ??
    (eraser.isUnderWay ? `"${path}" is being erased; try again later` : undefined) ??
    (trimmer.figures === undefined ? undefined : `"${path}" is being trimmed already`);
  if (obstacle !== undefined) throw new Error(obstacle);
  const commands = (): number => {
    const { reads, writes } = logicalUnit.traffic().figures();
    return reads.commands + writes.commands;
  };
  const { pace, release } = new TrimPace({ bytesPerSecond, clock, commands });
  const after = clock.after.bind(clock);
  return await trimmer.trim({ extents: extents ?? undefined, pace, release, after });
}
