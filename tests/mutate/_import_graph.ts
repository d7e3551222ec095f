/** The tests that reach each module, by imports and by the workers and programs that they start. */
import { join, normalize } from "@std/path";
import { ts } from "./_typescript.ts";

/** Modules that a file starts in another way than by an import. */
const STARTED = /new URL\(\s*"(\.[^"]+\.ts)",\s*import\.meta\.url/g;

/** Returns the relative files that a text leads to, from the folder that it is in. */
function ledTo(path: string, text: string): string[] {
  const imported = ts.preProcessFile(text).importedFiles.map(({ fileName }) => fileName);
  const started = [...text.matchAll(STARTED)].map(([, file]) => file!);
  const folder = path.slice(0, path.lastIndexOf("/"));
  return [...imported, ...started]
    .filter((specifier) => specifier.startsWith("."))
    .map((specifier) => normalize(join(folder, specifier)));
}

/** The imports of a tree. */
export class ImportGraph {
  readonly #read: (path: string) => string | undefined;
  readonly #imports = new Map<string, readonly string[]>();

  /** @param read returns the text of a file, or undefined where there is none */
  constructor(read: (path: string) => string | undefined) {
    this.#read = read;
  }

  /** Returns how many imports lie between two files; undefined when no way leads from the one to the other. */
  distance(from: string, to: string): number | undefined {
    const seen = new Set([from]);
    let border = [from];
    for (let steps = 0; border.length > 0; steps++) {
      if (border.includes(to)) return steps;
      border = border.flatMap((path) => this.#importsOf(path)).filter((path) => !seen.has(path));
      border = [...new Set(border)];
      for (const path of border) seen.add(path);
    }
    return undefined;
  }

  #importsOf(path: string): readonly string[] {
    const known = this.#imports.get(path);
    if (known !== undefined) return known;
    const text = this.#read(path);
    const imports = text === undefined ? [] : ledTo(path, text);
    this.#imports.set(path, imports);
    return imports;
  }
}
