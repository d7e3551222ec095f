import { printable, shorten } from "./show_text.ts";
import type { TargetReport } from "./status_report.ts";
import type { Style } from "./terminal.ts";
import { wrapWords } from "./wrap_words.ts";

/** The greatest widths of the columns before the portals. */
const TARGET_COLUMNS_MAX = 20;
const NETWORK_COLUMNS_MAX = 24;

/** The least width of the portals; a portal that is longer loses its middle. */
const PORTAL_COLUMNS_MIN = 8;

/** Formats the portals that discovery reports to the initiators of each network, as lines; none without a server. */
export function showPaths(
  targets: readonly TargetReport[],
  { columns, style }: { readonly columns: number; readonly style: Style },
): string[] {
  const rows = targets.flatMap(({ name, paths }) =>
    (paths ?? []).map(({ network, portals }, index) => ({
      target: index === 0 ? printable(name) : "",
      network,
      portals: portals.length === 0 ? "none: no interface is in it" : portals.join(" "),
    }))
  );
  if (rows.length === 0) return [];
  const head = { target: "TARGET", network: "INITIATORS IN", portals: "ARE OFFERED" };
  const targetColumns = columnsFor([head, ...rows].map(({ target }) => target), TARGET_COLUMNS_MAX);
  const networkColumns = columnsFor([head, ...rows].map(({ network }) => network), NETWORK_COLUMNS_MAX);
  const room = Math.max(columns - targetColumns - networkColumns - 4, PORTAL_COLUMNS_MIN);
  const lines = ({ target, network, portals }: typeof head): string[] =>
    wrapWords(portals, room).map((line, index) => {
      const left = index === 0 ? [target, network] : ["", ""];
      const cells = [
        shorten(left[0]!, targetColumns).padEnd(targetColumns),
        shorten(left[1]!, networkColumns).padEnd(networkColumns),
        shorten(line, room),
      ];
      return cells.join("  ").slice(0, columns).trimEnd();
    });
  return [...lines(head).map((line) => style.heading(line)), ...rows.flatMap(lines)];
}

function columnsFor(texts: readonly string[], max: number): number {
  return Math.min(Math.max(...texts.map((text) => text.length)), max);
}
