import { assertEquals, assertThrows } from "@std/assert";
import { type Family, formatExposition, histogramSamples } from "../../lib/metrics/exposition.ts";
import { parseExposition } from "../support/exposition_parser.ts";

Deno.test("formatExposition() writes what the format's description shows", () => {
  const families: Family[] = [
    {
      name: "http_requests_total",
      type: "counter",
      help: "The total number of HTTP requests.",
      samples: [
        { labels: { method: "post", code: "200" }, value: 1027 },
        { labels: { method: "post", code: "400" }, value: 3 },
      ],
    },
    {
      name: "metric_without_labels",
      type: "gauge",
      help: "Minimal.",
      samples: [{ labels: {}, value: 12.47 }],
    },
    { name: "nothing", type: "gauge", help: "Is left out.", samples: [] },
  ];
  assertEquals(
    formatExposition(families),
    `# HELP http_requests_total The total number of HTTP requests.
# TYPE http_requests_total counter
http_requests_total{method="post",code="200"} 1027
http_requests_total{method="post",code="400"} 3
# HELP metric_without_labels Minimal.
# TYPE metric_without_labels gauge
metric_without_labels 12.47
`,
  );
});

Deno.test("formatExposition() escapes what would end a label or a line", () => {
  const value = 'C:\\DIR\\FILE.TXT\nsaid "so"';
  const family: Family = {
    name: "a",
    type: "gauge",
    help: "b\\c\nd",
    samples: [{ labels: { value }, value: 1 }],
  };
  assertEquals(
    formatExposition([family]),
    '# HELP a b\\\\c\\nd\n# TYPE a gauge\na{value="C:\\\\DIR\\\\FILE.TXT\\nsaid \\"so\\""} 1\n',
  );
  assertEquals(parseExposition(formatExposition([family]))[0]!.samples[0]!.labels, { value });
});

Deno.test("histogramSamples() counts in each bucket all that is not above its bound", () => {
  const samples = histogramSamples({ a: "b" }, [0.1, 1], { counts: [3, 0, 2], sum: 7.5 });
  const family: Family = { name: "h", type: "histogram", help: "H.", samples };
  assertEquals(formatExposition([family]).split("\n").slice(2, -1), [
    'h_bucket{a="b",le="0.1"} 3',
    'h_bucket{a="b",le="1"} 3',
    'h_bucket{a="b",le="+Inf"} 5',
    'h_sum{a="b"} 7.5',
    'h_count{a="b"} 5',
  ]);
});

Deno.test("the reader of these tests takes nothing but the format", () => {
  const head = "# HELP a A.\n# TYPE a gauge\n";
  assertEquals(parseExposition(`${head}a 1\n`)[0]!.samples, [{ name: "a", labels: {}, value: 1 }]);
  const wrong = [
    "a 1\n",
    `${head}a 1`,
    `${head}b 1\n`,
    `${head}a_sum 1\n`,
    `${head}a x\n`,
    `${head}a{b=c} 1\n`,
    `${head}a{b="c"d="e"} 1\n`,
    `${head}a{b="c",b="d"} 1\n`,
    `${head}a{b="\\x"} 1\n`,
    `${head}a 1\na 2\n`,
    `${head}a 1\n${head}a 1\n`,
    "# HELP a A.\n# TYPE b gauge\na 1\n",
    "# HELP a A.\n# TYPE a number\na 1\n",
  ];
  for (const text of wrong) assertThrows(() => parseExposition(text), SyntaxError, "", text);
});
