/** The scenarios that there are, in the order in which they run. */
import type { Scenario } from "./scenario.ts";

/** Every scenario. Those that share a guest stand together. */
export const SCENARIOS: readonly Scenario[] = [];
