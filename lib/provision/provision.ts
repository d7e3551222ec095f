import type { Config } from "../config/config.ts";
import type { Diagnostic } from "../config/diagnostic.ts";
import type { Identity } from "../scsi/identity.ts";
import { applySteps } from "./apply_steps.ts";
import { type Plan, plan } from "./plan.ts";
import { ProvisionError } from "./provision_error.ts";
import { randomIdentity } from "./random_identity.ts";
import { stateFolderOf } from "./state_folder.ts";
import { isChange, type Step } from "./step.ts";
import { StorageLock } from "./storage_lock.ts";
import { survey } from "./survey.ts";

/** How to provision. */
export interface ProvisionOptions {
  /** Only find out what would be done. */
  readonly dryRun?: boolean;
  /** Called after each step, or for each step of a dry run, with how many there are yet to come. */
  readonly onStep?: (step: Step, left: number) => void;
  /** Aborted when no further step is to begin; the report has those that were done. */
  readonly signal?: AbortSignal;
  /** Where new identities come from; random unless given. */
  readonly makeIdentity?: () => Identity;
}

/** How it went. */
export interface ProvisionReport {
  /** What was done, or would be; empty when there is an error. */
  readonly steps: readonly Step[];
  /** Why nothing was done. */
  readonly errors: readonly Diagnostic[];
  readonly warnings: readonly Diagnostic[];
}

/**
 * Makes the disk what a conf says: every logical unit gets its backing file and its identity.
 *
 * It may be interrupted at any moment; called again, it does what is left.
 *
 * @throws {ProvisionError} (rejects) when the disk refuses a step, or another process is provisioning the folder
 */
export async function provision(config: Config, options: ProvisionOptions = {}): Promise<ProvisionReport> {
  const { makeIdentity = randomIdentity, dryRun = false, onStep = () => {}, signal } = options;
  const first = plan(config, survey(config), makeIdentity);
  if (dryRun || first.errors.length > 0 || !first.steps.some(isChange)) {
    for (const [index, step] of first.steps.entries()) onStep(step, first.steps.length - index - 1);
    return first;
  }
  const done: Step[] = [];
  async function take(steps: readonly Step[]): Promise<void> {
    let left = steps.length;
    for await (const step of applySteps(steps, signal)) {
      done.push(step);
      onStep(step, --left);
    }
  }
  // The lock is in the state folder, so that comes first; making it twice at a time does no harm.
  const stateFolder = stateFolderOf(config.storage);
  const last = first.steps.findIndex((step) => step.kind === "createFolder" && step.path === stateFolder);
  await take(first.steps.slice(0, last + 1));
  if (signal?.aborted) return { ...first, steps: done };
  using _lock = await lockForBuild(stateFolder);
  // Whoever had the lock before may have done all this, so the disk is looked at again.
  const rest: Plan = plan(config, survey(config), makeIdentity);
  await take(rest.steps);
  return { ...rest, steps: done };
}

async function lockForBuild(stateFolder: string): Promise<StorageLock> {
  const result = await StorageLock.acquire(stateFolder, "build");
  if ("lock" in result) return result.lock;
  const holder = result.holderPid === undefined ? "" : ` (pid ${result.holderPid})`;
  throw new ProvisionError(
    `Cannot build in "${stateFolder}": another "iscsi build" is running${holder}; wait for it`,
  );
}
