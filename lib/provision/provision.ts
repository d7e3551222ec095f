import type { Config } from "../config/config.ts";
import type { Diagnostic } from "../config/diagnostic.ts";
import type { Identity } from "../scsi/identity.ts";
import { applySteps } from "./apply_steps.ts";
import { lockForBuild } from "./build_lock.ts";
import { BuildMark } from "./build_mark.ts";
import { type Plan, plan } from "./plan.ts";
import { ProvisionError } from "./provision_error.ts";
import { randomIdentity } from "./identity/random_identity.ts";
import { assertNotServedElsewhere } from "./served_elsewhere.ts";
import { settleState } from "./settle_state.ts";
import { stateFolderOf } from "./state_folder.ts";
import { isChange, type Step } from "./step.ts";
import { findTwinStorages } from "./former_storage.ts";
import { survey } from "./survey.ts";

/** Options of `provision`. */
export interface ProvisionOptions {
  /** Plans the steps without applying them. */
  readonly dryRun?: boolean;
  /** Called after each step, or for each step of a dry run, with the number of remaining steps. */
  readonly onStep?: (step: Step, left: number) => void;
  /** Aborted to start no further step; the report has the completed ones. */
  readonly signal?: AbortSignal;
  /** Overrides the problems that can be overridden, such as a lost disk, which an empty file then replaces. */
  readonly force?: boolean;
  /** Returns a new identity; random by default. */
  readonly makeIdentity?: () => Identity;
  /** Returns the time in ISO 8601; the system's by default. */
  readonly now?: () => string;
}

/** The result of `provision`. */
export interface ProvisionReport {
  /** The steps that were applied, or that a dry run planned; empty when there is an error. */
  readonly steps: readonly Step[];
  /** The reasons why nothing was applied. */
  readonly errors: readonly Diagnostic[];
  readonly warnings: readonly Diagnostic[];
  /** The reason why the remaining steps were not applied; undefined when all were. */
  readonly failure?: string;
}

/**
 * Builds a conf: every logical unit gets its backing file and its identity. On return, all of them are on stable
 * storage, including those of earlier builds.
 *
 * It may be interrupted at any moment. Called again, it applies the remaining steps.
 */
export async function provision(config: Config, options: ProvisionOptions = {}): Promise<ProvisionReport> {
  const { dryRun = false, onStep = () => {} } = options;
  const first = await planFor(config, options);
  const isIdle = !first.steps.some(isChange) && new BuildMark(config).coversAll();
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
 * Applies the planned steps, and syncs existing files that the build mark does not cover.
 *
 * @param options.done receives each completed step
 * @throws {ProvisionError} (rejects) when a step fails, or another build is running in the folder
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
  // The state folder comes first, because the lock is in it. Two processes may make it at the same time.
  const stateFolder = stateFolderOf(config.storage);
  const last = first.steps.findIndex((step) => step.kind === "createFolder" && step.path === stateFolder);
  await take(first.steps.slice(0, last + 1));
  if (signal?.aborted) return first;
  using _lock = await lockForBuild(stateFolder, `build in "${stateFolder}"`);
  // Another build may have applied these steps while this one waited for the lock, so the disk is surveyed again.
  const rest = await planFor(config, options);
  if (rest.errors.length > 0) return rest;
  assertNotServedElsewhere(config.storage, rest.steps);
  const mark = new BuildMark(config);
  // The folders of recorded files must not be lost.
  if (!mark.coversAll()) await settleState(config);
  await mark.remove();
  await take(rest.steps, (path) => mark.covers(path));
  if (signal?.aborted) return rest;
  await mark.set();
  return rest;
}

async function planFor(
  config: Config,
  { makeIdentity = randomIdentity, now = currentTime, force = false }: ProvisionOptions,
): Promise<Plan> {
  const twinStorages = await findTwinStorages(config.storage);
  return plan(config, survey(config, { twinStorages, examinesLocks: true }), {
    makeIdentity,
    now: now(),
    force,
  });
}

function currentTime(): string {
  return new Date().toISOString();
}
