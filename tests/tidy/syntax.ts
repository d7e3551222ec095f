/**
 * The facts about a file that the rules of this house use. They come from Deno's own parser, so a comment or a string
 * that looks like code does not mislead them.
 *
 * `Deno.lint.runPlugin` is the only access to that parser, and works only under `deno test`.
 */
import type { SourceFile } from "./source_tree.ts";

/** A thing found on a line, counted from 1. */
export interface Finding {
  readonly line: number;
  readonly text: string;
}

/** A function with a body. */
export interface FunctionFinding extends Finding {
  readonly lengthLines: number;
}

/** The imports, the used globals and the declarations of a file. */
export interface Syntax {
  /** Specifiers of imports and re-exports, of types and `import()` too, and of `new URL(..., import.meta.url)`. */
  readonly imports: readonly Finding[];
  /** Names of the world's doors that are used: `Deno`, `Date`, `Math.random` ... */
  readonly worldly: readonly Finding[];
  readonly functions: readonly FunctionFinding[];
  readonly comments: readonly Finding[];
  /** Texts of several words, such as messages; `...` stands for what is put into them. */
  readonly texts: readonly Finding[];
  /** Constructs that this house does without, each with the reason. */
  readonly unwelcome: readonly Finding[];
  /** Exported functions and classes without a docstring. */
  readonly undocumented: readonly Finding[];
}

/** The globals through which code reads or changes state besides its arguments. */
const WORLDLY_GLOBALS = ["Deno", "Date", "performance", "crypto", "globalThis", "fetch"];

/** The imports from Node that a module of pure functions may have: they only process text. */
const HARMLESS_OF_NODE = ["isIP", "isIPv4", "isIPv6", "createHash", "timingSafeEqual"];

type Note = (kind: keyof Syntax, range: Deno.lint.Node["range"], text: string) => void;

function isSameNode(a: Deno.lint.Node, b: Deno.lint.Node): boolean {
  return a.type === b.type && a.range[0] === b.range[0] && a.range[1] === b.range[1];
}

/** Reports if an identifier is only the name of a member, and not a reference to something in scope. */
function isMemberName(node: Deno.lint.Identifier): boolean {
  const parent = node.parent;
  switch (parent.type) {
    case "MemberExpression":
      return !parent.computed && isSameNode(parent.property, node);
    case "Property":
      return !parent.computed && !parent.shorthand && isSameNode(parent.key, node);
    case "PropertyDefinition":
    case "MethodDefinition":
    case "TSPropertySignature":
    case "TSMethodSignature":
      return isSameNode(parent.key, node);
    case "TSQualifiedName":
      return isSameNode(parent.right, node);
    default:
      return false;
  }
}

function noteImports(note: Note): Deno.lint.LintVisitor {
  function noteLiteral(node: Deno.lint.Node | null | undefined): void {
    if (node?.type === "Literal" && typeof node.value === "string") note("imports", node.range, node.value);
  }
  return {
    ImportDeclaration: (node) => noteLiteral(node.source),
    ExportNamedDeclaration: (node) => noteLiteral(node.source),
    ExportAllDeclaration: (node) => noteLiteral(node.source),
    ImportExpression: (node) => noteLiteral(node.source),
    TSImportType: (node) => {
      if (node.argument.type === "TSLiteralType") noteLiteral(node.argument.literal);
    },
    NewExpression: (node) => {
      const isUrl = node.callee.type === "Identifier" && node.callee.name === "URL";
      const base = node.arguments[1];
      if (isUrl && base?.type === "MemberExpression" && base.object.type === "MetaProperty") {
        noteLiteral(node.arguments[0]);
      }
    },
  };
}

function noteWorldly(note: Note): Deno.lint.LintVisitor {
  return {
    Identifier: (node) => {
      if (WORLDLY_GLOBALS.includes(node.name) && !isMemberName(node)) note("worldly", node.range, node.name);
    },
    ImportDeclaration: (node) => {
      if (!node.source.value.startsWith("node:") || node.importKind === "type") return;
      for (const { type, local, range } of node.specifiers) {
        const isHarmless = type === "ImportSpecifier" && HARMLESS_OF_NODE.includes(local.name);
        if (!isHarmless) note("worldly", range, `${local.name} of ${node.source.value}`);
      }
    },
    MemberExpression: (node) => {
      const isMath = node.object.type === "Identifier" && node.object.name === "Math";
      if (isMath && node.property.type === "Identifier" && node.property.name === "random") {
        note("worldly", node.range, "Math.random");
      }
    },
  };
}

/** Returns whether a declaration stands at the top level, exported or not. */
function isTopLevel({ parent }: Deno.lint.VariableDeclaration): boolean {
  return parent.type === "Program" ||
    parent.type === "ExportNamedDeclaration" && parent.parent.type === "Program";
}

function noteUnwelcome(note: Note): Deno.lint.LintVisitor {
  function noteAccessibility(node: Deno.lint.Node & { readonly accessibility?: string | undefined }): void {
    if (node.accessibility === "private") note("unwelcome", node.range, "private: take a #name");
    if (node.accessibility === "public") note("unwelcome", node.range, "public: what has no #name is");
  }
  return {
    TSAnyKeyword: (node) => note("unwelcome", node.range, "any: name the type, or take unknown"),
    TSEnumDeclaration: (node) => note("unwelcome", node.range, "enum: take a table that is as const"),
    MethodDefinition: (node) => {
      // A private constructor has no other spelling.
      if (node.kind !== "constructor") noteAccessibility(node);
    },
    PropertyDefinition: (node) => noteAccessibility(node),
    TSParameterProperty: (node) => note("unwelcome", node.range, "parameter property: declare the member"),
    // A visitor for nodes of one type: the parser matches a selector, above all one by an attribute, far slower.
    VariableDeclaration: (node) => {
      if (!isTopLevel(node)) return;
      if (node.kind === "let") note("unwelcome", node.range, "let at the top level: state has an owner");
      for (const { init } of node.declarations) {
        if (init?.type !== "ArrowFunctionExpression") continue;
        note("unwelcome", init.range, "arrow function in a top-level const: take a function");
      }
    },
  };
}

/** Returns the name of a function: its own, or that of the member that holds it. */
function functionName(
  node: Deno.lint.FunctionDeclaration | Deno.lint.FunctionExpression | Deno.lint.ArrowFunctionExpression,
): string {
  if (node.type !== "ArrowFunctionExpression" && node.id) return node.id.name;
  const parent = node.parent;
  const isMember = parent.type === "MethodDefinition" || parent.type === "PropertyDefinition" ||
    parent.type === "Property";
  if (isMember && parent.key.type === "Identifier") return parent.key.name;
  if (isMember && parent.key.type === "PrivateIdentifier") return `#${parent.key.name}`;
  return "an anonymous function";
}

function noteUndocumented(note: Note, text: string): Deno.lint.LintVisitor {
  return {
    ExportNamedDeclaration: (node) => {
      const { declaration } = node;
      if (declaration?.type !== "FunctionDeclaration" && declaration?.type !== "ClassDeclaration") return;
      const isDocumented = text.slice(0, node.range[0]).trimEnd().endsWith("*/");
      if (!isDocumented) note("undocumented", node.range, declaration.id?.name ?? "an anonymous export");
    },
  };
}

function mergeVisitors(visitors: readonly Deno.lint.LintVisitor[]): Deno.lint.LintVisitor {
  const merged: Record<string, (node: Deno.lint.Node) => void> = {};
  for (const visitor of visitors) {
    for (const [selector, visit] of Object.entries(visitor)) {
      const earlier = merged[selector];
      const later = visit as (node: Deno.lint.Node) => void;
      merged[selector] = earlier === undefined ? later : (node) => {
        earlier(node);
        later(node);
      };
    }
  }
  return merged;
}

function noteTexts(note: Note): Deno.lint.LintVisitor {
  function noteText(range: Deno.lint.Node["range"], text: string): void {
    if (text.trim().split(" ").length > 2) note("texts", range, text);
  }
  return {
    Literal: (node) => {
      if (typeof node.value === "string") noteText(node.range, node.value);
    },
    TemplateLiteral: (node) => noteText(node.range, node.quasis.map(({ cooked }) => cooked).join("...")),
  };
}

/** Returns how many of some numbers, in ascending order, are not larger than another. */
function countUpTo(numbers: readonly number[], most: number): number {
  let [low, high] = [0, numbers.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (numbers[middle]! <= most) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Reads a file as the parser sees it. Throws a SyntaxError where it is no TypeScript. */
export function readSyntax(file: SourceFile): Syntax {
  const lineStarts = [0, ...[...file.text.matchAll(/\n/g)].map((match) => match.index + 1)];
  const lineOf = (offset: number): number => countUpTo(lineStarts, offset);
  const found = {
    imports: [] as Finding[],
    worldly: [] as Finding[],
    functions: [] as FunctionFinding[],
    comments: [] as Finding[],
    texts: [] as Finding[],
    unwelcome: [] as Finding[],
    undocumented: [] as Finding[],
  };
  const note: Note = (kind, range, text) => {
    const line = lineOf(range[0]);
    found[kind].push({ line, text, lengthLines: lineOf(range[1]) - line + 1 });
  };
  const create = (context: Deno.lint.RuleContext): Deno.lint.LintVisitor =>
    mergeVisitors([
      noteImports(note),
      noteWorldly(note),
      noteUnwelcome(note),
      noteUndocumented(note, file.text),
      noteTexts(note),
      {
        Program: () =>
          context.sourceCode.getAllComments().forEach((comment) =>
            note("comments", comment.range, comment.value)
          ),
        FunctionDeclaration: (node) => note("functions", node.range, functionName(node)),
        FunctionExpression: (node) => note("functions", node.range, functionName(node)),
        ArrowFunctionExpression: (node) => note("functions", node.range, functionName(node)),
      },
    ]);
  Deno.lint.runPlugin({ name: "house", rules: { syntax: { create } } }, file.path, file.text);
  return found;
}
