import { assert, assertEquals } from "@std/assert";
import { showPaths } from "../../lib/cli/path_table.ts";
import type { TargetReport } from "../../lib/cli/status_report.ts";
import { PLAIN_STYLE } from "../../lib/cli/terminal.ts";

function targetWith(name: string, paths: TargetReport["paths"]): TargetReport {
  return { name, iscsiName: `iqn.2002-08.info.netmanager:${name}`, comment: name, paths, logicalUnits: [] };
}

const TARGETS = [
  targetWith("a-target-with-a-name-of-30-char", [
    {
      network: "192.168.100.0/24",
      portals: ["192.168.100.1:3260", "192.168.101.1:3260", "[fd00:1:2:3:4:5:6:7]:3260"],
    },
    { network: "fd00:1:2:3:4:5:6:7/128", portals: [] },
  ]),
  targetWith("b", [{ network: "10.0.0.0/8", portals: ["10.0.0.1:3260"] }]),
];

Deno.test("showPaths() breaks a long list of portals between them, below the first", () => {
  assertEquals(
    showPaths(TARGETS, { columns: 72, style: PLAIN_STYLE }).join("\n"),
    `\
TARGET                INITIATORS IN           ARE OFFERED
a-tar...e-of-30-char  192.168.100.0/24        192.168.100.1:3260
                                              192.168.101.1:3260
                                              [fd00:1:2:3:4:5:6:7]:3260
                      fd00:1:2:3:4:5:6:7/128  none: no interface is in
                                              it
b                     10.0.0.0/8              10.0.0.1:3260`,
  );
});

Deno.test("showPaths() keeps to every width", () => {
  for (let columns = 1; columns <= 140; columns++) {
    const lines = showPaths(TARGETS, { columns, style: PLAIN_STYLE });
    assert(lines.every((line) => line.length <= columns), `${columns} columns`);
  }
});

Deno.test("showPaths() shows nothing where no server runs, or none has started yet", () => {
  for (const targets of [[], [targetWith("a", null)], [targetWith("a", [])]]) {
    assertEquals(showPaths(targets, { columns: 80, style: PLAIN_STYLE }), []);
  }
});
