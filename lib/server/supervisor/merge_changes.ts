import type { Config } from "../../config/config.ts";
import { configDifference, consequenceOf, describeChange } from "../../config/config_difference.ts";
import type { ReportedChange } from "../../control/reported_change.ts";

/** Returns the changes from one conf to another, with the sessions of all workers that each affects. */
export function mergeChanges(
  before: Config,
  after: Config,
  answers: readonly (readonly ReportedChange[])[],
): ReportedChange[] {
  const reported = answers.flat();
  return configDifference(before, after).map((change) => {
    const description = describeChange(change);
    const sessions = reported.filter((other) => other.description === description)
      .flatMap(({ sessions }) => sessions);
    return { description, consequence: consequenceOf(change), sessions };
  });
}
