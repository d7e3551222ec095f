/** The scenarios that there are, in the order in which they run. */
import { LINUX_DISK } from "./linux_disk.ts";
import { LINUX_LOGIN } from "./linux_login.ts";
import { LINUX_TROUBLE } from "./linux_trouble.ts";
import type { Scenario } from "./scenario.ts";

/** Every scenario. Those that share a guest stand together. */
export const SCENARIOS: readonly Scenario[] = [...LINUX_LOGIN, ...LINUX_DISK, ...LINUX_TROUBLE];
