/** Reads queries of Prometheus, as far as tests compare them with the table of metrics. */

/** The metrics and labels that a query names. */
export interface QueryNames {
  readonly metrics: readonly string[];
  readonly labels: readonly string[];
}

const KEYWORDS = [
  "and",
  "or",
  "unless",
  "by",
  "without",
  "on",
  "ignoring",
  "group_left",
  "group_right",
  "offset",
];

const LABEL_LIST = /\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)/g;
const MATCHERS = /\{([^}]*)\}/g;

/** Returns the names in a query. Variables of Grafana may stand for values and durations. */
export function namesOf(query: string): QueryNames {
  const lists = [...query.matchAll(LABEL_LIST)].flatMap(([, list]) => list!.split(","));
  const matchers = [...query.matchAll(MATCHERS)].flatMap(([, list]) => list!.match(/\w+(?=\s*[=!])/g) ?? []);
  const rest = query.replaceAll(/"[^"]*"/g, "").replaceAll(MATCHERS, " ").replaceAll(LABEL_LIST, " ")
    .replaceAll(/\[[^\]]*\]/g, " ");
  const words = rest.match(/(?<!\w)[A-Za-z_:][\w:]*(?!\w*\s*\()/g) ?? [];
  const functions = new Set([...rest.matchAll(/([A-Za-z_]\w*)\s*\(/g)].map(([, name]) => name!));
  return {
    metrics: words.filter((word) => !KEYWORDS.includes(word) && !functions.has(word)),
    labels: [...lists, ...matchers].map((label) => label.trim()).filter((label) => label !== ""),
  };
}
