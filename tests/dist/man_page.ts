/** Reads man pages in the macros of man(7), as far as tests compare them with tables. */
import { assert } from "@std/assert";

/** A line without its macro and escapes, and the name of the macro. */
export interface ManLine {
  readonly macro: string;
  readonly text: string;
}

/** A man page of `dist`. */
export class ManPage {
  readonly #lines: readonly ManLine[];

  /** @param name such as `iscsi.8` */
  constructor(name: string) {
    const text = Deno.readTextFileSync(new URL(`../../dist/${name}`, import.meta.url));
    this.#lines = text.trimEnd().split("\n").map(readLine);
  }

  /** The lines of a section. */
  section(title: string): readonly ManLine[] {
    const start = this.#lines.findIndex(({ macro, text }) => macro === "SH" && text === title);
    assert(start >= 0, `no section ${title}`);
    const length = this.#lines.slice(start + 1).findIndex(({ macro }) => macro === "SH");
    return this.#lines.slice(start + 1, length < 0 ? undefined : start + 1 + length);
  }

  /** The text of a section, in one line. */
  text(title: string): string {
    return joinLines(this.section(title));
  }

  /** The things that a section explains: the line after each `.TP`, each with the text below it. */
  entries(title: string): { readonly tag: string; readonly text: string }[] {
    const lines = this.section(title);
    return lines.flatMap(({ macro }, index) => {
      if (macro !== "TP") return [];
      const rest = lines.slice(index + 1);
      const length = rest.findIndex(({ macro }) => macro === "TP");
      return [{ tag: rest[0]!.text, text: joinLines(rest.slice(1, length < 0 ? undefined : length)) }];
    });
  }

  /** The tags of a section. */
  tags(title: string): string[] {
    return this.entries(title).map(({ tag }) => tag);
  }

  /** The words of the part of the section JSON about one command. */
  jsonWords(command: string): ReadonlySet<string> {
    const lines = this.section("JSON");
    const start = lines.findIndex(({ macro, text }) => macro === "SS" && text === command);
    assert(start >= 0, `no JSON of ${command}`);
    const length = lines.slice(start + 1).findIndex(({ macro }) => macro === "SS");
    const part = lines.slice(start + 1, length < 0 ? undefined : start + 1 + length);
    return new Set(part.flatMap(({ text }) => text.split(/[^A-Za-z0-9]+/)));
  }

  /** The examples of a section: its parts without filling. */
  examples(title: string): string[] {
    const examples: string[][] = [];
    let isOpen = false;
    for (const { macro, text } of this.section(title)) {
      if (macro === "nf") examples.push([]);
      if (macro === "nf" || macro === "fi") isOpen = macro === "nf";
      else if (isOpen) examples.at(-1)!.push(text);
    }
    return examples.map((lines) => lines.join("\n"));
  }
}

function readLine(line: string): ManLine {
  const [, macro = "", rest = ""] = /^(?:\.([A-Za-z]+) ?)?(.*)$/.exec(line) ?? [];
  const joined = /^(BR|BI|IB|RB)$/.test(macro)
    ? rest.replaceAll(/"([^"]*)"| /g, (_, word?: string) => word ?? "")
    : rest;
  return { macro, text: joined.replaceAll(/\\f[A-Z]/g, "").replaceAll("\\-", "-") };
}

function joinLines(lines: readonly ManLine[]): string {
  return lines.map(({ text }) => text).join(" ");
}
