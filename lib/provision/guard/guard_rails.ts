/** The rules that find a conf which is valid, but probably not what its author means. */
import type { Config } from "../../config/config.ts";
import type { Problem } from "../examine/examine.ts";
import { findOvercommitments } from "../examine/find_overcommitments.ts";
import type { Survey } from "../survey.ts";
import { findDeviceContents, findHeldDevices } from "./find_device_uses.ts";
import { findFormerStorage } from "./find_former_storage.ts";
import { findTwinStorage } from "./find_twin_storage.ts";
import { findShiftedSizes } from "./find_shifted_sizes.ts";
import { findRenamedTargets } from "./find_renamed_targets.ts";
import {
  findExposedFolder,
  findRiskyFileSystems,
  findStrangeFolder,
  findUnmountedFolders,
  findUntrustedLocks,
} from "./find_risky_folders.ts";

/** A rule, and the handling of its findings. */
interface GuardRail {
  readonly find: (config: Config, survey: Survey) => readonly Problem[];
  /** Its findings cannot be undone, so `build` does them only with `--force`. */
  readonly needsForce?: true;
  /** Its findings depend on the machine that has the disks; a conf is also checked on others. */
  readonly isLocal?: true;
}

const GUARD_RAILS: readonly GuardRail[] = [
  { find: findShiftedSizes, needsForce: true },
  { find: findUnmountedFolders, needsForce: true },
  { find: findRenamedTargets },
  { find: findFormerStorage },
  { find: findTwinStorage },
  { find: findRiskyFileSystems },
  { find: findUntrustedLocks },
  { find: findStrangeFolder },
  { find: findExposedFolder },
  { find: findDeviceContents },
  { find: findHeldDevices },
  {
    find: ({ targets }, survey) =>
      findOvercommitments(targets.flatMap(({ logicalUnits }) => logicalUnits), survey),
    isLocal: true,
  },
];

/** The findings of all guard rails. */
export interface GuardFindings {
  readonly errors: readonly Problem[];
  readonly warnings: readonly Problem[];
}

/** Options of `findDoubts`. */
export interface DoubtOptions {
  /** Turns errors into warnings. */
  readonly force?: boolean;
  /** Leaves out what depends on the machine. */
  readonly isElsewhere?: boolean;
}

/** Applies every guard rail to a conf. */
export function findDoubts(config: Config, survey: Survey, options: DoubtOptions = {}): GuardFindings {
  const { force = false, isElsewhere = false } = options;
  const rails = GUARD_RAILS.filter(({ isLocal }) => isLocal !== true || !isElsewhere);
  const isError = ({ needsForce }: GuardRail): boolean => needsForce === true && !force;
  const found = (rails: readonly GuardRail[]): Problem[] => rails.flatMap(({ find }) => find(config, survey));
  return {
    errors: found(rails.filter(isError)),
    warnings: found(rails.filter((rail) => !isError(rail))),
  };
}
