import type { Step } from "../provision/step.ts";

/** The sizes of the logical units of a list of steps, and the space that their files take. */
export interface StepTotals {
  readonly logicalUnits: number;
  readonly promisedBytes: number;
  readonly allocatedBytes: number;
}

/** Adds up the steps of logical units. */
export function totalsOf(steps: readonly Step[]): StepTotals {
  const units = steps.filter(isLogicalUnit);
  return {
    logicalUnits: units.length,
    promisedBytes: sum(units.map((step) => step.sizeBytes)),
    allocatedBytes: sum(units.map((step) => "allocatedBytes" in step ? step.allocatedBytes : 0)),
  };
}

const LOGICAL_UNIT_KINDS = ["createFile", "growFile", "keepFile", "useDevice"] as const;

type LogicalUnitStep = Step & { readonly kind: typeof LOGICAL_UNIT_KINDS[number] };

function isLogicalUnit(step: Step): step is LogicalUnitStep {
  return (LOGICAL_UNIT_KINDS as readonly string[]).includes(step.kind);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
