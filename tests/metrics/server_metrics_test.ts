import { existsSync } from "node:fs";
import { assert, assertEquals } from "@std/assert";
import { formatExposition } from "../../lib/metrics/exposition.ts";
import { serverFamilies, type ServerFigures } from "../../lib/metrics/server_metrics.ts";
import { type Harness, withHarness } from "../support/harness.ts";
import { ManPage } from "../dist/man_page.ts";
import { withScratch } from "../provision/scratch.ts";
import { type ParsedFamily, parseExposition } from "../support/exposition_parser.ts";
import { read10, write10 } from "../support/initiator_cdb.ts";
import { runTool } from "../support/tools.ts";
import { pattern } from "../support/content.ts";

const FIGURES: ServerFigures = {
  node: null,
  space: new Map([["/disk", { usedBytes: 4096, availableBytes: 1_000_000 }]]),
  copies: { count: 1, bytes: 4096 },
  trims: { count: 1, examinedBytes: 8192, releasedBytes: 4096 },
  workers: [{ port: 3260, isUp: true }, { port: 3261, isUp: false }],
  workerStarts: 2,
  versions: { version: "1.2.3", deno: "2.9.6" },
  process: { cpuSeconds: 1.5, residentBytes: 1e8, startSeconds: 1_700_000_000 },
};

/** Returns the metrics of a node after some work of initiators. */
async function textOf(harness: Harness): Promise<string> {
  const initiator = await harness.logIn();
  await initiator.command({ cdb: write10(0, 16), write: pattern(8192) });
  await initiator.command({ cdb: read10(0, 8), read: 4096 });
  await initiator.logout();
  await harness.logIn();
  return formatExposition(serverFamilies({ ...FIGURES, node: harness.node.snapshot() }));
}

function valueOf(
  families: readonly ParsedFamily[],
  name: string,
  labels: Record<string, string> = {},
): number {
  const samples = families.flatMap((family) => family.samples).filter((sample) =>
    sample.name === name && Object.entries(labels).every(([label, value]) => sample.labels[label] === value)
  );
  assertEquals(samples.length, 1, `${name} ${JSON.stringify(labels)}`);
  return samples[0]!.value;
}

Deno.test("serverFamilies() tells of units and initiators what they have done", () =>
  withHarness({ targets: [{}, { name: "other" }] }, async (harness) => {
    const families = parseExposition(await textOf(harness));
    const lun = { target: "disk", lun: "0" };
    const initiator = { initiator: "iqn.2011-07.com.example:89abcdef", target: "disk" };
    // What an initiator did in a session that is over counts as before.
    for (const [prefix, labels] of [["iscsi_lun", lun], ["iscsi_initiator", initiator]] as const) {
      assertEquals(valueOf(families, `${prefix}_read_bytes_total`, labels), 4096);
      assertEquals(valueOf(families, `${prefix}_written_bytes_total`, labels), 8192);
      assertEquals(valueOf(families, `${prefix}_commands_total`, { ...labels, kind: "write" }), 1);
      assertEquals(
        valueOf(families, `${prefix}_failed_commands_total`, { ...labels, reason: "unit_attention" }),
        2,
      );
      assertEquals(valueOf(families, `${prefix}_read_duration_seconds_bucket`, { ...labels, le: "+Inf" }), 1);
    }
    assertEquals(valueOf(families, "iscsi_initiator_sessions", initiator), 1);
    assertEquals(valueOf(families, "iscsi_lun_size_bytes", lun), 64 * 1024 * 1024);
    assertEquals(valueOf(families, "iscsi_lun_allocated_bytes", lun), 4096);
    assertEquals(valueOf(families, "iscsi_sessions"), 1);
    assertEquals(valueOf(families, "iscsi_lun_up", lun), 1);
    for (
      const kind of ["read_failed", "write_failed", "flush_failed", "out_of_space", "reservations_failed"]
    ) {
      assertEquals(valueOf(families, "iscsi_lun_storage_failures_total", { ...lun, kind }), 0);
    }
  }));

Deno.test("serverFamilies() goes by Prometheus' conventions", () =>
  withHarness({}, async (harness) => {
    for (const { name, type, help } of parseExposition(await textOf(harness))) {
      assert(/^(iscsi|process)_[a-z_]+$/.test(name), name);
      assertEquals(name.endsWith("_total"), type === "counter", name);
      assertEquals(type === "histogram", name.endsWith("_duration_seconds"), name);
      assert(/^[A-Z].*\.$/.test(help), help);
    }
  }));

Deno.test("serverFamilies() says while there is no worker that there is none", () => {
  const families = parseExposition(formatExposition(serverFamilies(FIGURES)));
  assertEquals(valueOf(families, "iscsi_target_worker_up"), 0);
  assertEquals(
    ["3260", "3261"].map((port) => valueOf(families, "iscsi_worker_up", { port })),
    [1, 0],
  );
  assertEquals(valueOf(families, "iscsi_build_info", { version: "1.2.3" }), 1);
  assertEquals(families.some(({ name }) => name === "iscsi_sessions"), false);
});

Deno.test("iscsi(8) lists every metric with its type and labels, and no other", () =>
  withHarness({}, async (harness) => {
    const families = parseExposition(await textOf(harness));
    const expected = families.map(({ name, type, samples }) => {
      const labels = Object.keys(samples[0]!.labels).filter((label) => label !== "le").join(", ");
      return `${name} (${type}${labels === "" ? "" : `: ${labels}`})`;
    });
    // The page lists the traffic of an initiator with that of a LUN, under one name.
    const both = expected.filter((row) => !/^iscsi_initiator_(?!sessions)/.test(row));
    assertEquals(new ManPage("iscsi.8").tags("METRICS").toSorted(), both.toSorted());
  }));

const hasPromtool = (Deno.env.get("PATH") ?? "").split(":").some((folder) =>
  existsSync(`${folder}/promtool`)
);

Deno.test({
  name: "promtool has nothing to say against the metrics (takes promtool, of Debian's package prometheus)",
  ignore: !hasPromtool,
  fn: () =>
    withHarness({}, (harness) =>
      withScratch(async (folder) => {
        const path = `${folder}/metrics`;
        Deno.writeTextFileSync(path, await textOf(harness));
        const { code, stdout, stderr } = await runTool("sh", ["-c", 'promtool check metrics < "$0"', path]);
        assertEquals([code, stdout, stderr], [0, "", ""]);
      })),
});
