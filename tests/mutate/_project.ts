/**
 * The project as the TypeScript compiler sees it: syntax trees with types, and the answer to whether a changed file
 * still type-checks. One compiler is kept for all of them, so an answer takes milliseconds.
 */
import { dirname, fromFileUrl, join } from "@std/path";
import { ts } from "./_typescript.ts";

/** The repository that this file belongs to. */
export const ROOT = fromFileUrl(new URL("../..", import.meta.url));

/** As strict as deno.json, but for names that a removed statement leaves unused: the missing statement is the fault. */
const COMPILER_OPTIONS: ts.CompilerOptions = {
  allowImportingTsExtensions: true,
  exactOptionalPropertyTypes: true,
  lib: ["lib.esnext.d.ts"],
  module: ts.ModuleKind.ESNext,
  moduleDetection: ts.ModuleDetectionKind.Force,
  noEmit: true,
  noFallthroughCasesInSwitch: true,
  noImplicitOverride: true,
  noImplicitReturns: true,
  noPropertyAccessFromIndexSignature: true,
  noUncheckedIndexedAccess: true,
  resolveJsonModule: true,
  skipLibCheck: true,
  strict: true,
  target: ts.ScriptTarget.ESNext,
  types: [],
};

/** The types of Deno's own interface, as a file that only the compiler sees. */
const DENO_TYPES = "/deno_types.d.ts";

/** The syntax trees of files, above all of the libraries, which are the same for all projects. */
const PARSED = ts.createDocumentRegistry();

/** A tree of TypeScript files, of which one at a time is changed. */
export class Project {
  readonly #root: string;
  readonly #denoTypes: string;
  /** Texts in place of those on the disk. */
  readonly #changed = new Map<string, string>();
  readonly #service: ReturnType<typeof ts.createLanguageService>;

  /** Reads the types of Deno's interface from Deno, and a tree from the disk. */
  static async open(root: string, paths: readonly string[]): Promise<Project> {
    const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["types"], stdout: "piped" }).output();
    return new Project(root, paths, new TextDecoder().decode(stdout));
  }

  private constructor(root: string, paths: readonly string[], denoTypes: string) {
    this.#root = root;
    this.#denoTypes = denoTypes;
    const roots = [DENO_TYPES, ...paths.map((path) => join(root, path))];
    this.#service = ts.createLanguageService({
      directoryExists: ts.sys.directoryExists,
      fileExists: (path) => path === DENO_TYPES || ts.sys.fileExists(path),
      getCompilationSettings: () => COMPILER_OPTIONS,
      getCurrentDirectory: () => root,
      getDefaultLibFileName: (options) => ts.getDefaultLibFilePath(options),
      getScriptFileNames: () => roots,
      getScriptSnapshot: (path) => {
        const text = this.#read(path);
        return text === undefined ? undefined : ts.ScriptSnapshot.fromString(text);
      },
      // Projects share what has the same path and version, so the version of a text is the text.
      getScriptVersion: (path) => this.#changed.get(path) ?? "",
      readFile: (path) => this.#read(path),
      resolveModuleNameLiterals: (literals, containing) =>
        literals.map(({ text }) => ({ resolvedModule: this.#resolve(text, containing) })),
    }, PARSED);
  }

  /** The text of a file of the tree. */
  textOf(path: string): string {
    return Deno.readTextFileSync(join(this.#root, path));
  }

  /** Returns the syntax tree of a file, and the checker of its types. */
  sourceOf(path: string): {
    readonly source: ts.SourceFile;
    readonly checker: ts.TypeChecker;
  } {
    this.#change(path, undefined);
    const program = this.#service.getProgram()!;
    return { source: program.getSourceFile(join(this.#root, path))!, checker: program.getTypeChecker() };
  }

  /** Returns the faults that the compiler finds in a file with another text, and did not find before. */
  faultsOf(path: string, text: string): string[] {
    const before = this.#faultsOf(path, undefined);
    const after = this.#faultsOf(path, text);
    this.#change(path, undefined);
    for (const fault of before) {
      const at = after.indexOf(fault);
      if (at >= 0) after.splice(at, 1);
    }
    return after;
  }

  #faultsOf(path: string, text: string | undefined): string[] {
    this.#change(path, text);
    const file = join(this.#root, path);
    return [...this.#service.getSyntacticDiagnostics(file), ...this.#service.getSemanticDiagnostics(file)]
      .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, "\n"));
  }

  #change(path: string, text: string | undefined): void {
    const file = join(this.#root, path);
    const before = this.#changed.get(file);
    const wanted = text ?? this.textOf(path);
    if (before === undefined && text === undefined || before === wanted) return;
    this.#changed.set(file, wanted);
  }

  #read(path: string): string | undefined {
    return path === DENO_TYPES ? this.#denoTypes : this.#changed.get(path) ?? ts.sys.readFile(path);
  }

  /** A package of `@std` is the local one that deno.json links; packages from npm have no types here. */
  #resolve(specifier: string, containing: string): ReturnType<typeof resolvedAs> | undefined {
    if (specifier.startsWith(".")) return resolvedAs(join(dirname(containing), specifier));
    const [, name] = /^@std\/([a-z]+)/.exec(specifier) ?? [];
    if (name === undefined) return undefined;
    const candidates = ["types.d.ts", "mod.ts"].map((file) => join(this.#root, "lib/std", name, file));
    const found = candidates.find((path) => ts.sys.fileExists(path));
    return found === undefined ? undefined : resolvedAs(found);
  }
}

function resolvedAs(path: string): { resolvedFileName: string; extension: string } {
  const ending = [".d.ts", ".ts", ".json"].find((ending) => path.endsWith(ending)) ?? ".ts";
  return { resolvedFileName: path, extension: ending };
}
