import type { Config } from "../config/config.ts";
import type { Diagnostic } from "../config/diagnostic.ts";
import type { Identity } from "../scsi/identity.ts";
import { applySteps } from "./apply_steps.ts";
import { BuildMark } from "./build_mark.ts";
import { currentTime } from "./current_time.ts";
import { type Plan, plan } from "./plan.ts";
import { ProvisionError } from "./provision_error.ts";
import { randomIdentity } from "./random_identity.ts";
import { assertNotServedElsewhere } from "./served_elsewhere.ts";
import { settleState } from "./settle_state.ts";
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
  /** Does what is refused otherwise, such as an empty file in place of a lost disk. */
  readonly force?: boolean;
  /** Where new identities come from; random unless given. */
  readonly makeIdentity?: () => Identity;
  /** Returns the time in ISO 8601; the system's unless given. */
  readonly now?: () => string;
}

/** How it went. */
export interface ProvisionReport {
  /** What was done, or would be; empty when there is an error. */
  readonly steps: readonly Step[];
  /** Why nothing was done. */
  readonly errors: readonly Diagnostic[];
  readonly warnings: readonly Diagnostic[];
  /** Why the rest was not done; undefined when all was. */
  readonly failure?: string;
}

/**
 * Makes the disk what a conf says: every logical unit gets its backing file and its identity, and all of that is on
 * stable storage, whoever made it.
 *
 * It may be interrupted at any moment; called again, it does what is left.
 */
export async function provision(config: Config, options: ProvisionOptions = {}): Promise<ProvisionReport> {
  const { dryRun = false, onStep = () => {} } = options;
  const first = planFor(config, options);
  const isIdle = !first.steps.some(isChange) && new BuildMark(config).vouchesForAll();
  if (dryRun || first.errors.length > 0 || isIdle) {
    for (const [index, step] of first.steps.entries()) onStep(step, first.steps.length - index - 1);
    return first;
  }
  const steps: Step[] = [];
  try {
    return { ...await build(config, first, { ...options, done: steps }), steps };
  } catch (error) {
    if (!(error instanceof ProvisionError)) throw error;
    return { ...first, steps, failure: error.message };
  }
}

/**
 * Does what is planned, and puts what is found on stable storage unless the last build vouches for it.
 *
 * @param options.done takes each step that was done
 * @throws {ProvisionError} (rejects) when the disk refuses a step, or another process is provisioning the folder
 */
async function build(
  config: Config,
  first: Plan,
  { done, ...options }: ProvisionOptions & { readonly done: Step[] },
): Promise<Plan> {
  const { onStep = () => {}, signal } = options;
  async function take(steps: readonly Step[], isDurable?: (path: string) => boolean): Promise<void> {
    let left = steps.length;
    for await (const step of applySteps(steps, { signal, ...(isDurable && { isDurable }) })) {
      done.push(step);
      onStep(step, --left);
    }
  }
  // The lock is in the state folder, so that comes first; making it twice at a time does no harm.
  const stateFolder = stateFolderOf(config.storage);
  const last = first.steps.findIndex((step) => step.kind === "createFolder" && step.path === stateFolder);
  await take(first.steps.slice(0, last + 1));
  if (signal?.aborted) return first;
  using _lock = await lockForBuild(stateFolder);
  // Whoever had the lock before may have done all this, so the disk is looked at again.
  const rest = planFor(config, options);
  if (rest.errors.length > 0) return rest;
  assertNotServedElsewhere(config.storage, rest.steps);
  const mark = new BuildMark(config);
  // What files are recorded to be made must not be lost with a folder that they are in.
  if (!mark.vouchesForAll()) await settleState(config);
  await mark.remove();
  await take(rest.steps, (path) => mark.vouchesFor(path));
  if (signal?.aborted) return rest;
  await mark.set();
  return rest;
}

function planFor(
  config: Config,
  { makeIdentity = randomIdentity, now = currentTime, force = false }: ProvisionOptions,
): Plan {
  return plan(config, survey(config), { makeIdentity, now: now(), force });
}

async function lockForBuild(stateFolder: string): Promise<StorageLock> {
  const result = await StorageLock.acquire(stateFolder, "build");
  if ("lock" in result) return result.lock;
  const holder = result.holderPid === undefined ? "" : ` (pid ${result.holderPid})`;
  throw new ProvisionError(
    `Cannot build in "${stateFolder}": another "iscsi build" is running${holder}; wait for it`,
  );
}
