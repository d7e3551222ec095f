/** A reader of Prometheus' text format, version 0.0.4, that accepts only what the format allows. */

/** A sample as it was read. */
export interface ParsedSample {
  /** With the suffix, if it has one. */
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** A metric as it was read. */
export interface ParsedFamily {
  readonly name: string;
  readonly type: string;
  readonly help: string;
  readonly samples: readonly ParsedSample[];
}

const METRIC = "[a-zA-Z_:][a-zA-Z0-9_:]*";
const LABEL = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(,|$)/;
const TYPES = ["counter", "gauge", "histogram"];
const SUFFIXES: Readonly<Record<string, readonly string[]>> = { histogram: ["_bucket", "_sum", "_count"] };

/**
 * Reads a text.
 *
 * @throws {SyntaxError} when a line breaks the format, or a family or a sample is repeated
 */
export function parseExposition(text: string): ParsedFamily[] {
  if (!text.endsWith("\n")) throw new SyntaxError("The last line has no end");
  const lines = text.slice(0, -1).split("\n");
  const families: { name: string; type: string; help: string; samples: ParsedSample[] }[] = [];
  const seen = new Set<string>();
  for (let index = 0; index < lines.length;) {
    const help = match(lines[index]!, new RegExp(`^# HELP (${METRIC}) (.+)$`));
    const type = match(lines[index + 1] ?? "", new RegExp(`^# TYPE (${METRIC}) ([a-z]+)$`));
    index += 2;
    const name = help[1]!;
    const isTwice = families.some((family) => family.name === name);
    if (type[1] !== name || !TYPES.includes(type[2]!) || isTwice) throw new SyntaxError(`Family ${name}`);
    const family = { name, type: type[2]!, help: help[2]!, samples: [] as ParsedSample[] };
    families.push(family);
    for (; index < lines.length && !lines[index]!.startsWith("#"); index++) {
      const line = lines[index]!;
      const identity = line.replace(/ [^ ]*$/, "");
      if (seen.has(identity)) throw new SyntaxError(`Twice: ${identity}`);
      seen.add(identity);
      family.samples.push(parseSample(line, name, SUFFIXES[family.type] ?? [""]));
    }
  }
  return families;
}

function match(line: string, pattern: RegExp): RegExpExecArray {
  const found = pattern.exec(line);
  if (found === null) throw new SyntaxError(`Line ${JSON.stringify(line)}`);
  return found;
}

function parseSample(line: string, family: string, suffixes: readonly string[]): ParsedSample {
  const [, name = "", , labels = "", value = ""] = match(
    line,
    new RegExp(`^(${METRIC})(\\{(.*)\\})? ([+-]Inf|NaN|-?[0-9.]+(?:e[+-]?[0-9]+)?)$`),
  );
  if (!suffixes.some((suffix) => name === family + suffix)) throw new SyntaxError(`${name} in ${family}`);
  const number = value.endsWith("Inf") ? Number(value.replace("Inf", "Infinity")) : Number(value);
  return { name, labels: parseLabels(labels), value: number };
}

function parseLabels(text: string): Record<string, string> {
  const labels: Record<string, string> = {};
  for (let rest = text; rest !== "";) {
    const [whole, name = "", value = ""] = match(rest, LABEL);
    if (Object.hasOwn(labels, name)) throw new SyntaxError(`Label ${name} twice`);
    labels[name] = value.replaceAll(/\\(.)/g, (_, escaped: string) => escaped === "n" ? "\n" : escaped);
    rest = rest.slice(whole.length);
  }
  return labels;
}
