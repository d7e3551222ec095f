/** The rules of Prometheus and the dashboard of Grafana agree with the table of metrics. */
import { assert, assertEquals } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { serverFamilies } from "../../lib/metrics/server_metrics.ts";
import { withScratch } from "../provision/scratch.ts";
import { withHarness } from "../support/harness.ts";
import { runToolOk, testWithTools } from "../support/tools.ts";
import { namesOf } from "./prometheus_query.ts";

const DIST = fromFileUrl(new URL("../../dist", import.meta.url));
const RULES = Deno.readTextFileSync(join(DIST, "prometheus.rules.yml"));
const RULE_TESTS = Deno.readTextFileSync(new URL("prometheus.rules.test.yml", import.meta.url));

/** A panel of the dashboard, as far as it matters here. */
interface Panel {
  readonly id: number;
  readonly title: string;
  readonly gridPos: Readonly<Record<"x" | "y" | "w" | "h", number>>;
  readonly targets: readonly { readonly expr: string; readonly legendFormat: string }[];
}

const DASHBOARD: {
  readonly templating: { readonly list: readonly { readonly query: string }[] };
  readonly panels: readonly Panel[];
} = JSON.parse(Deno.readTextFileSync(join(DIST, "grafana.json")));

const PANEL_TARGETS = DASHBOARD.panels.flatMap(({ targets }) => targets);

/** The queries of the rules: from `expr:` to the next key. */
const RULE_QUERIES = [...RULES.matchAll(/^ +expr: (?:>-\n)?([^]*?)\n +(?:for|labels):/gm)].map(([, query]) =>
  query!
);

/** Labels that Prometheus adds. */
const SCRAPE_LABELS = ["job", "instance"];

/** Returns the names of all metrics with their labels. */
async function tableOfMetrics(): Promise<ReadonlyMap<string, readonly string[]>> {
  const table = new Map<string, readonly string[]>();
  await withHarness({}, async (harness) => {
    const initiator = await harness.logIn();
    const families = serverFamilies({
      node: harness.node.snapshot(),
      space: new Map([["/disk", { usedBytes: 1, availableBytes: 1 }]]),
      copies: { count: 0, bytes: 0 },
      trims: { count: 1, examinedBytes: 8192, releasedBytes: 4096 },
      workers: [{ port: 3260, isUp: true }],
      workerStarts: 1,
      versions: { version: "1", deno: "2" },
      process: { cpuSeconds: 1, residentBytes: 1, startSeconds: 1 },
    });
    await initiator.logout();
    for (const { name, samples } of families) {
      for (const { suffix = "", labels } of samples) table.set(`${name}${suffix}`, Object.keys(labels));
    }
  });
  return table;
}

/** Asserts that a query names metrics that there are, and only labels that they have. */
function assertKnown(query: string, table: ReadonlyMap<string, readonly string[]>): void {
  const { metrics, labels } = namesOf(query);
  assert(metrics.length > 0, query);
  assertEquals(metrics.filter((name) => !table.has(name)), [], query);
  const known = [...SCRAPE_LABELS, ...metrics.flatMap((name) => table.get(name)!)];
  assertEquals(labels.filter((label) => !known.includes(label)), [], query);
}

Deno.test("namesOf() returns the metrics and labels of a query, and nothing else", () => {
  const query =
    'sum by (a, le) (rate(one_total{b=~"$b", c!="d e"}[5m])) / on (f) two > 3 * max(vector(4)) offset 1d';
  assertEquals(namesOf(query), {
    metrics: ["one_total", "two"],
    labels: ["a", "le", "f", "b", "c"],
  });
  assertEquals(namesOf("1024 ^ 3 and x:y unless z"), { metrics: ["x:y", "z"], labels: [] });
});

Deno.test("every query of the dashboard names metrics and labels that there are", async () => {
  const table = await tableOfMetrics();
  assert(PANEL_TARGETS.length >= 20);
  for (const { expr, legendFormat } of PANEL_TARGETS) {
    assertKnown(expr, table);
    const labels = [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(([, label]) => label!);
    const known = [...SCRAPE_LABELS, ...namesOf(expr).metrics.flatMap((name) => table.get(name)!)];
    assertEquals(labels.filter((label) => !known.includes(label)), [], legendFormat);
  }
  for (const { query } of DASHBOARD.templating.list) {
    const [, metric] = /^label_values\((\w+), instance\)$/.exec(query) ?? [];
    assert(metric === undefined ? query === "prometheus" : table.has(metric), query);
  }
});

Deno.test("the dashboard shows every metric but identities and start times", async () => {
  const shown = new Set(PANEL_TARGETS.flatMap(({ expr }) => namesOf(expr).metrics));
  const hidden = [...(await tableOfMetrics()).keys()].filter((name) => !shown.has(name));
  // What an initiator does is shown by its bytes; its LUNs show the rest.
  const others = hidden.filter((name) => !name.startsWith("iscsi_initiator_"));
  assertEquals(others.toSorted(), ["iscsi_lun_info", "process_start_time_seconds"]);
});

Deno.test("the panels of the dashboard have numbers of their own and do not overlap", () => {
  const { panels } = DASHBOARD;
  assertEquals(new Set(panels.map(({ id }) => id)).size, panels.length);
  const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) => {
    assert(x + w <= 24);
    return Array.from({ length: w * h }, (_, index) => `${x + index % w},${y + Math.floor(index / w)}`);
  });
  assertEquals(new Set(cells).size, cells.length);
});

Deno.test("every rule names metrics and labels that there are, and has a test", async () => {
  const table = await tableOfMetrics();
  const alerts = [...RULES.matchAll(/- alert: (\w+)/g)].map(([, name]) => name!);
  assertEquals(RULE_QUERIES.length, alerts.length);
  for (const query of RULE_QUERIES) assertKnown(query, table);
  for (const alert of alerts) {
    // One test in which it is raised, and one in which it is not.
    const tests = [...RULE_TESTS.matchAll(new RegExp(`alertname: ${alert}\\b(.*exp_alerts: \\[\\])?`, "g"))];
    assertEquals(tests.map(([, quiet]) => quiet === undefined).toSorted(), [false, true], alert);
  }
});

testWithTools(
  "promtool accepts the rules, and each alert is raised when it should be",
  ["promtool"],
  () =>
    withScratch(async (folder) => {
      const rules = join(DIST, "prometheus.rules.yml");
      await runToolOk("promtool", ["check", "rules", "--lint=all", "--lint-fatal", rules]);
      const tests = join(folder, "tests.yml");
      Deno.writeTextFileSync(tests, RULE_TESTS.replaceAll("RULES", rules));
      await runToolOk("promtool", ["test", "rules", tests]);
    }),
);

testWithTools(
  "promtool accepts every query of the dashboard",
  ["promtool"],
  () =>
    withScratch(async (folder) => {
      const rows = PANEL_TARGETS.map(({ expr }, index) => {
        const query = expr.replaceAll("$__rate_interval", "5m").replaceAll("$instance", ".*");
        return `{ record: "dashboard:${index}", expr: ${JSON.stringify(query)} }`;
      });
      const path = join(folder, "rules.yml");
      Deno.writeTextFileSync(path, `groups: [{ name: dashboard, rules: [${rows.join(", ")}] }]\n`);
      await runToolOk("promtool", ["check", "rules", path]);
    }),
);
