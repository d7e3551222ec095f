/**
 * libiscsi's test suite, `iscsi-test-cu`: each test runs by itself, so none affects another.
 */
import { runTool, type ToolResult } from "../support/tools.ts";

/** The outcome of a test, with the words that report it. */
export interface Verdict {
  readonly kind: "passed" | "failed" | "skipped" | "hung";
  readonly reason: string;
}

const TEST_LIMIT_MS = 30_000;

/** Reads what one run of one test printed. */
export function readVerdict({ code, stdout, stderr }: ToolResult): Verdict {
  // The output after the verdict is that of the clean-up.
  const match = stdout.match(/ Test: \S+ \.\.\.([\s\S]*?)((?<!\[)FAILED|passed)([\s\S]*)/);
  if (match === null || code !== 0) {
    return { kind: "failed", reason: `exit code ${code}: ${stdout}${stderr}` };
  }
  const [, said = "", verdict, after = ""] = match;
  if (verdict === "FAILED") return { kind: "failed", reason: `${said}${after}` };
  const skipped = said.match(/\[SKIPPED\]\s*(.*)/);
  // A test that finds a command missing on its way passes, but has not done all it should.
  const isHalfDone = /not (?:implemented|supported)/.test(said);
  if (skipped !== null) return { kind: "skipped", reason: skipped[1]! };
  return isHalfDone ? { kind: "skipped", reason: `in part: ${said.trim()}` } : { kind: "passed", reason: "" };
}

/** Returns the names of all tests, or of those of the given families, as `FAMILY.TEST`. */
export async function listTests(families?: readonly string[]): Promise<string[]> {
  const { stdout } = await runTool("iscsi-test-cu", ["--list"]);
  const names = stdout.split("\n").map((line) => line.trim().split("."))
    .filter((parts) => parts.length === 3 && parts[0] === "ALL" && (families?.includes(parts[1]!) ?? true));
  return names.map(([, family, test]) => `${family}.${test}`);
}

/** Runs one test against a LUN, which it may write to, and the same LUN by a second path. */
export async function runTest(name: string, lunUrl: string): Promise<Verdict> {
  const args = ["--dataloss", "--allow-sanitize", "--test", `ALL.${name}`, lunUrl, lunUrl];
  try {
    return readVerdict(await runTool("iscsi-test-cu", args, { timeLimitMs: TEST_LIMIT_MS }));
  } catch (error) {
    return { kind: "hung", reason: String(error) };
  }
}
