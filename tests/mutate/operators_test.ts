import { assert, assertEquals } from "@std/assert";
import { applyEdit, type Mutant } from "./_mutant.ts";
import { mutantsOf } from "./_operators.ts";
import { Project } from "./_project.ts";

/** Returns the faults proposed for an invented file, of those that type-check. */
async function faultsOf(text: string): Promise<Mutant[]> {
  const folder = Deno.makeTempDirSync({ prefix: "iscsi-operators-" });
  try {
    Deno.writeTextFileSync(`${folder}/a.ts`, text);
    const project = await Project.open(folder, ["a.ts"]);
    const { source, checker } = project.sourceOf("a.ts");
    return mutantsOf("a.ts", source, checker)
      .filter((mutant) => project.faultsOf("a.ts", applyEdit(text, mutant)).length === 0);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

/** Returns the changed lines of the faults of a file, without those of other operators. */
async function changesOf(text: string, operator: string): Promise<string[]> {
  return (await faultsOf(text)).filter((mutant) => mutant.operator === operator).map(({ after }) => after);
}

const CASES: readonly { operator: string; lines: readonly string[]; changes: readonly string[] }[] = [
  {
    operator: "binary operator",
    lines: [
      "export function f(a: number, b: number, c: string) {",
      "  return a < b",
      "    || c + c === c",
      "    && a - b;",
      "}",
    ],
    changes: ["return a <= b", "&& c + c === c", "|| c + c !== c", "|| a - b;", "&& a + b;"],
  },
  {
    operator: "missing operand",
    lines: ["export function f(a: number | undefined) {", "  return a ?? 7;", "}"],
    changes: ["return a;", "return 7;"],
  },
  { operator: "increment", lines: ["export let a = 1;", "a++;", "--a;", ""], changes: ["a--;", "++a;"] },
  {
    operator: "boolean",
    lines: ["export const a: boolean = true;", ""],
    changes: ["export const a: boolean = false;"],
  },
  {
    operator: "number",
    lines: ["export const a: number[] = [", "  0x10,", "  0o7,", "  0,", "];", "export type A = 5;", ""],
    changes: ["0x11,", "0xf,", "0o10,", "0o6,", "1,"],
  },
  {
    operator: "condition",
    lines: ["export function f(a: boolean, b: boolean) {", "  if (a) return !b;", "  return a ? 1 : 2;", "}"],
    changes: ["if (!(a)) return !b;", "if (a) return b;", "return !(a) ? 1 : 2;"],
  },
  {
    operator: "removed statement",
    lines: [
      "declare function g(): void;",
      "export function f(a: number[]) {",
      "  g();",
      "  a[0] = 1;",
      "  const b = 2;",
      "  return b;",
      "}",
    ],
    changes: ["{}", "{}", "{}"],
  },
  {
    operator: "removed await",
    lines: [
      "declare const p: Promise<void>;",
      "export async function f() {",
      "  await p;",
      "  return 1 + (await Promise.resolve(2));",
      "}",
    ],
    changes: ["p;"],
  },
  {
    operator: "early return",
    lines: [
      "declare function g(): void;",
      "export function f(): void {",
      "  g();",
      "  g();",
      "}",
      "export function h(): number {",
      "  g();",
      "  return 1;",
      "}",
    ],
    changes: ["if (true as boolean) return; g();"],
  },
  {
    operator: "swapped arguments",
    lines: [
      "declare function g(a: number, b: number, c: string): void;",
      "g(1 + 2,",
      "  Math.PI,",
      "  'x');",
      "",
    ],
    changes: ["g(Math.PI, 1 + 2,"],
  },
  {
    operator: "bounds",
    lines: [
      "declare const a: Uint8Array;",
      "declare const n: number;",
      "export const b = a.subarray(n);",
      "",
    ],
    changes: ["export const b = a.subarray((n) + 1);", "export const b = a.subarray((n) - 1);"],
  },
  {
    operator: "optional chain",
    lines: ["declare const a: { b: number } | undefined;", "export const c: number | undefined = a?.b;", ""],
    changes: ["export const c: number | undefined = a!.b;"],
  },
  {
    operator: "other name",
    lines: ["const Kind = { disk: 0, tape: 1 } as const;", "export const kind: number = Kind.disk;", ""],
    changes: ["export const kind: number = Kind.tape;"],
  },
  {
    operator: "other word",
    lines: [
      "type Way = 'up' | 'down';",
      'export const way: Way = "up";',
      "export function f(w: Way) {",
      '  return w === "down";',
      "}",
      "",
    ],
    changes: ['export const way: Way = "down";', 'return w === "up";'],
  },
  {
    operator: "other method",
    lines: ["declare const a: number[];", "export const b = a.some((c) => c > Math.min(1, 2));", ""],
    changes: [
      "export const b = a.every((c) => c > Math.min(1, 2));",
      "export const b = a.some((c) => c > Math.max(1, 2));",
    ],
  },
];

for (const { operator, lines, changes } of CASES) {
  Deno.test(`mutantsOf() proposes faults of the kind "${operator}"`, async () => {
    assertEquals(await changesOf(lines.join("\n"), operator), [...changes]);
  });
}

Deno.test("mutantsOf() leaves types, imports and the text of messages alone", async () => {
  const text = [
    'import type { A } from "./a1.ts";',
    "export interface B { readonly c: 1 | 2; d(e: A): true }",
    "export function f(log: { info(text: string): void }, g: number): Error {",
    "  log.info(`${g + 1} of 7`);",
    "  return new Error(`${g - 1}: ${g < 1}`);",
    "}",
  ].join("\n");
  const changed = (await faultsOf(text)).map(({ line, operator }) => `${line} ${operator}`);
  assertEquals(changed, ["4 removed statement"]);
});

Deno.test("mutantsOf() gives the line and the whole lines of a change that takes several", async () => {
  const text = "declare function g(a: number): void;\n\n  g(\n    1 +\n      2,\n  );\n";
  const mutant = (await faultsOf(text)).find(({ operator }) => operator === "removed statement");
  assert(mutant !== undefined);
  assertEquals([mutant.line, mutant.before, mutant.after], [3, "g( 1 + 2, );", "{}"]);
});
