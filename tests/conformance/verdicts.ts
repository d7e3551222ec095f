/** The verdict of a test over all kinds of logical units. */
import type { Verdict } from "../end_to_end/iscsi_test_cu.ts";
import type { Exemption } from "./exemptions.ts";

/** The outcome of a test on one kind. */
export interface KindVerdict {
  readonly kind: string;
  readonly verdict: Verdict;
}

/** The outcome of a test over all kinds. */
export interface TestResult {
  readonly name: string;
  readonly passed: boolean;
  /** The reason for a failure or an exemption; empty otherwise. */
  readonly reason: string;
  /** It did not pass because of a fault in the tool. */
  readonly exempt: boolean;
  readonly verdicts: readonly KindVerdict[];
}

/** Judges a test by how it ended on each kind. */
export function judge(
  name: string,
  verdicts: readonly KindVerdict[],
  exemption: Exemption | undefined,
): TestResult {
  const fault = findFault(verdicts);
  if (exemption === undefined) {
    return { name, passed: fault === undefined, reason: fault?.reason ?? "", exempt: false, verdicts };
  }
  if (fault?.ends === exemption.ends) {
    return { name, passed: true, reason: exemption.reason, exempt: true, verdicts };
  }
  if (fault === undefined && exemption.dependsOnSpeed) {
    return { name, passed: true, reason: "", exempt: false, verdicts };
  }
  const reason = `exempt as ${exemption.ends}, but ${fault?.reason ?? "it passes"}`;
  return { name, passed: false, reason, exempt: false, verdicts };
}

/** Returns the fault of a test that has not passed: failures on some kinds, or skipped on all. */
function findFault(
  verdicts: readonly KindVerdict[],
): { readonly ends: Exemption["ends"] | "hung"; readonly reason: string } | undefined {
  for (const ends of ["hung", "failed"] as const) {
    const bad = verdicts.filter(({ verdict }) => verdict.kind === ends);
    if (bad.length > 0) return { ends, reason: bad.map(describe).join("; ") };
  }
  if (verdicts.some(({ verdict }) => verdict.kind === "passed")) return undefined;
  return { ends: "skipped", reason: `skipped everywhere: ${verdicts.map(describe).join("; ")}` };
}

function describe({ kind, verdict }: KindVerdict): string {
  return `${kind}: ${verdict.kind}${verdict.reason === "" ? "" : `, ${firstAssertion(verdict.reason)}`}`;
}

/** Returns the characteristic part of a reason. */
export function firstAssertion(reason: string): string {
  return reason.match(/CU_\w+\([^()]*\)/)?.[0] ?? reason.trim().split("\n")[0]!;
}
