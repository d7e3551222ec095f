import { assertEquals } from "@std/assert";
import { Progress } from "./progress.ts";
import { formatReport, type Report } from "./report.ts";

const REPORT: Report = {
  sides: [{ name: "ours", description: "from source" }, { name: "tgt", description: "tgt 1" }],
  rounds: 3,
  seconds: 2,
  rows: [
    {
      job: "read",
      wanted: { tgt: 3.5 },
      sides: {
        ours: { operationsPerSecond: 300_000.4, serverCpuUs: 4.26, p50Us: 100, p99Us: 200 },
        tgt: { operationsPerSecond: 100_000, serverCpuUs: 20, p50Us: 300, p99Us: 900 },
      },
    },
    { job: "a tool's", wanted: {}, sides: { ours: { operationsPerSecond: 5 } } },
  ],
  figures: [
    { name: "start", unit: "ms", wanted: 200, sides: { ours: 149.6, bound: 40 } },
    { name: "fairness", unit: "x", wanted: 5, sides: { ours: 4.567, tgt: 6 } },
  ],
  missing: ["a thing: why"],
};

Deno.test("formatReport() has a table of rates, one of figures, and what is missing", () => {
  assertEquals(
    formatReport(REPORT),
    `ours       from source
tgt        tgt 1
3 rounds of 2 s; the median round of each side

job       ours/s   tgt/s  bound/s  x tgt  want  x bound  want  us CPU   tgt  p50/p99 us      tgt
read      300000  100000        -   3.00  3.50        -           4.3  20.0     100/200  300/900
a tool's       5       -        -      -              -             -     -           -        -

figure    unit  ours  at most   tgt  bound
start       ms   150      200     -     40
fairness     x  4.57        5  6.00      -

not measured: a thing: why
`,
  );
});

Deno.test("formatReport() compares with the least that can be done with a file, where that was measured", () => {
  const [read] = REPORT.rows;
  const bounds = {
    boundC: { operationsPerSecond: 400_000, serverCpuUs: 2 },
    boundDeno: { operationsPerSecond: 320_000, serverCpuUs: 3.5 },
  };
  const rows = [{ ...read!, sides: { ...read!.sides, ...bounds } }];
  assertEquals(
    formatReport({ ...REPORT, rows, figures: [], missing: [] }).split("\n").slice(-3).join("\n"),
    `job   ours/s     C/s  Deno/s   x C  x Deno  us CPU    C  Deno  tgt x C
read  300000  400000  320000  0.75    0.94     4.3  2.0   3.5     0.25
`,
  );
});

Deno.test("formatReport() leaves out what was not asked for", () => {
  const report = formatReport({ ...REPORT, rows: [], figures: [], missing: [] });
  assertEquals(report.split("\n").length, 4);
});

Deno.test("Progress writes a line for each job, or one that changes and goes on a terminal", () => {
  for (
    const [isTerminal, expected] of [
      [false, "a\nb\n"],
      [true, "\r\x1b[Ka: 1\r\x1b[Ka: 2\r\x1b[Kb: 1\r\x1b[K"],
    ] as const
  ) {
    let text = "";
    {
      using progress = new Progress({
        isTerminal: () => isTerminal,
        writeSync: (bytes) => {
          text += new TextDecoder().decode(bytes);
          return bytes.length;
        },
      });
      for (const [job, part] of [["a", "1"], ["a", "2"], ["b", "1"]] as const) progress.show(job, part);
    }
    assertEquals(text, expected);
  }
});

Deno.test("formatReport() compares the compiled program with the source when both were measured", () => {
  const sides = {
    ours: { operationsPerSecond: 200, serverCpuUs: 4 },
    binary: { operationsPerSecond: 150, serverCpuUs: 5 },
  };
  const text = formatReport({
    ...REPORT,
    rows: [{ job: "read", wanted: {}, sides }],
    figures: [],
    missing: [],
  });
  assertEquals(
    text.split("\n").slice(-3, -1).map((line) => line.split(/ {2,}/)),
    [
      ["job", "source/s", "compiled/s", "x source", "us CPU", "compiled"],
      ["read", "200", "150", "0.75", "4.0", "5.0"],
    ],
  );
});
