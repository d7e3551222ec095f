/**
 * The operators: each looks at a node of the syntax tree and proposes small faults there, such as a programmer makes.
 *
 * Types, imports and the text of messages are left alone. The compiler refuses some of what is proposed here; those
 * faults are sorted out later.
 */
import { type Edit, type Mutant, toMutant } from "./_mutant.ts";
import { ts } from "./_typescript.ts";

/** A place in a file, and what is known of the types there. */
interface Site {
  readonly node: ts.Node;
  readonly source: ts.SourceFile;
  readonly checker: ts.TypeChecker;
}

type Operator = (site: Site) => Iterable<Edit>;

/** Replacements of the operators between two values. */
const BINARY: Readonly<Record<string, readonly string[]>> = {
  "<": ["<="],
  "<=": ["<"],
  ">": [">="],
  ">=": [">"],
  "===": ["!=="],
  "!==": ["==="],
  "&&": ["||"],
  "||": ["&&"],
  "+": ["-"],
  "-": ["+"],
  "*": ["/"],
  "/": ["*"],
  "%": ["*"],
  "&": ["|"],
  "|": ["&"],
  "<<": [">>>"],
  ">>>": ["<<"],
  "+=": ["-="],
  "-=": ["+="],
  "|=": ["&="],
  "&=": ["|="],
  "??=": ["="],
};

/** Of these, the ones that mean something else for text. */
const ARITHMETIC = ["+", "+="];

/** The base of a number literal by its prefix. */
const RADIX: Readonly<Record<string, number>> = { "0x": 16, "0o": 8, "0b": 2 };

/** Methods and functions that are taken for one another. */
const METHODS: Readonly<Record<string, string>> = {
  some: "every",
  every: "some",
  min: "max",
  max: "min",
  ceil: "floor",
  floor: "ceil",
  shift: "pop",
  startsWith: "endsWith",
};

const OPERATORS: Readonly<Record<string, Operator>> = {
  "binary operator": swapBinary,
  "missing operand": dropDefault,
  "increment": swapIncrement,
  "boolean": flipBoolean,
  "number": shiftNumber,
  "condition": negateCondition,
  "removed statement": removeStatement,
  "removed await": removeAwait,
  "early return": returnEarly,
  "swapped arguments": swapArguments,
  "bounds": shiftBounds,
  "optional chain": breakChain,
  "other name": takeOtherName,
  "other word": takeOtherWord,
  "other method": takeOtherMethod,
};

/** Returns every fault that the operators propose for a file, in the order of the text. */
export function mutantsOf(path: string, source: ts.SourceFile, checker: ts.TypeChecker): Mutant[] {
  const text = source.text;
  const mutants: Mutant[] = [];
  const seen = new Set<string>();
  function visit(node: ts.Node): void {
    if (isNoCode(node) || isMessage(node)) return;
    for (const [name, operator] of Object.entries(OPERATORS)) {
      for (const edit of operator({ node, source, checker })) {
        const key = `${edit.start} ${edit.end} ${edit.replacement}`;
        if (!seen.has(key)) mutants.push(toMutant(path, text, name, edit));
        seen.add(key);
      }
    }
    ts.forEachChild(node, visit);
  }
  visit(source);
  return mutants.sort((a, b) => a.start - b.start);
}

function isNoCode(node: ts.Node): boolean {
  return ts.isTypeNode(node) || ts.isInterfaceDeclaration(node) || ts.isTypeAliasDeclaration(node) ||
    ts.isImportDeclaration(node) || ts.isExportDeclaration(node);
}

/** Finds the text of an error or of a line of the log; what surrounds it counts. */
function isMessage(node: ts.Node): boolean {
  if (!ts.isTemplateExpression(node)) return false;
  for (let parent = node.parent; parent !== undefined; parent = parent.parent) {
    if (ts.isNewExpression(parent)) return /Error$/.test(parent.expression.getText());
    if (ts.isCallExpression(parent) && /\.(?:debug|info|warning|error)$/.test(parent.expression.getText())) {
      return true;
    }
    if (ts.isStatement(parent)) return false;
  }
  return false;
}

function replace(node: ts.Node, replacement: string): Edit {
  return { start: node.getStart(), end: node.getEnd(), replacement };
}

function isNumber({ checker }: Site, node: ts.Node): boolean {
  return (checker.getTypeAtLocation(node).flags & ts.TypeFlags.NumberLike) !== 0;
}

function* swapBinary(site: Site): Generator<Edit> {
  const { node } = site;
  if (!ts.isBinaryExpression(node)) return;
  const token = node.operatorToken.getText();
  if (ARITHMETIC.includes(token) && !isNumber(site, node)) return;
  for (const other of BINARY[token] ?? []) yield replace(node.operatorToken, other);
}

function* dropDefault({ node }: Site): Generator<Edit> {
  if (!ts.isBinaryExpression(node)) return;
  const token = node.operatorToken.kind;
  if (token === ts.SyntaxKind.QuestionQuestionToken) {
    yield replace(node, node.left.getText());
    yield replace(node, node.right.getText());
  } else if (
    token === ts.SyntaxKind.AmpersandAmpersandToken || token === ts.SyntaxKind.BarBarToken
  ) {
    yield replace(node, node.left.getText());
    yield replace(node, node.right.getText());
  }
}

function* swapIncrement({ node }: Site): Generator<Edit> {
  if (ts.isPostfixUnaryExpression(node) || ts.isPrefixUnaryExpression(node)) {
    const isPlus = node.operator === ts.SyntaxKind.PlusPlusToken;
    if (!isPlus && node.operator !== ts.SyntaxKind.MinusMinusToken) return;
    const operand = node.operand.getText();
    const token = isPlus ? "--" : "++";
    yield replace(node, ts.isPostfixUnaryExpression(node) ? `${operand}${token}` : `${token}${operand}`);
  }
}

function* flipBoolean({ node }: Site): Generator<Edit> {
  if (node.kind === ts.SyntaxKind.TrueKeyword) yield replace(node, "false");
  if (node.kind === ts.SyntaxKind.FalseKeyword) yield replace(node, "true");
}

function* shiftNumber({ node }: Site): Generator<Edit> {
  if (!ts.isNumericLiteral(node)) return;
  const value = Number(node.text);
  const [prefix = ""] = /^0[xob]/.exec(node.getText()) ?? [];
  const write = (number: number): string => `${prefix}${number.toString(RADIX[prefix] ?? 10)}`;
  yield replace(node, write(value + 1));
  if (value > 0) yield replace(node, write(value - 1));
}

function conditionOf(node: ts.Node): ts.Expression | undefined {
  if (ts.isIfStatement(node) || ts.isWhileStatement(node) || ts.isDoStatement(node)) return node.expression;
  if (ts.isConditionalExpression(node) || ts.isForStatement(node)) return node.condition;
  if (ts.isReturnStatement(node)) return undefined;
  if (ts.isPrefixUnaryExpression(node) && node.operator === ts.SyntaxKind.ExclamationToken) return node;
  return undefined;
}

function* negateCondition({ node }: Site): Generator<Edit> {
  const condition = conditionOf(node);
  if (condition === undefined) return;
  if (ts.isPrefixUnaryExpression(condition) && condition.operator === ts.SyntaxKind.ExclamationToken) {
    yield replace(condition, condition.operand.getText());
  } else {
    yield replace(condition, `!(${condition.getText()})`);
  }
}

/** Reports if a statement can be removed: a call with an unused value, an assignment, or an exit from a block. */
function isRemovable(node: ts.Node): boolean {
  if (ts.isReturnStatement(node) || ts.isThrowStatement(node)) return true;
  if (ts.isContinueStatement(node) || ts.isBreakStatement(node)) return true;
  return ts.isExpressionStatement(node) && !node.getText().startsWith("super(");
}

function* removeStatement({ node }: Site): Generator<Edit> {
  if (isRemovable(node)) yield replace(node, "{}");
}

function* removeAwait({ node }: Site): Generator<Edit> {
  if (ts.isAwaitExpression(node)) yield replace(node, node.expression.getText());
}

/** A return before a statement of a function that returns nothing. */
function* returnEarly({ node }: Site): Generator<Edit> {
  if (!ts.isBlock(node) || !ts.isFunctionLike(node.parent)) return;
  for (const statement of node.statements) {
    // Before the last one, this is a removed statement.
    if (ts.isFunctionDeclaration(statement) || statement === node.statements.at(-1)) continue;
    yield {
      start: statement.getStart(),
      end: statement.getStart(),
      replacement: "if (true as boolean) return; ",
    };
  }
}

function* swapArguments({ node, checker }: Site): Generator<Edit> {
  if (!ts.isCallExpression(node) && !ts.isNewExpression(node)) return;
  const args = node.arguments ?? [];
  for (let index = 1; index < args.length; index++) {
    const [first, second] = [args[index - 1]!, args[index]!];
    if (first.getText() === second.getText() || !isSameType(checker, first, second)) continue;
    yield {
      start: first.getStart(),
      end: second.getEnd(),
      replacement: `${second.getText()}, ${first.getText()}`,
    };
  }
}

function isSameType(checker: ts.TypeChecker, a: ts.Node, b: ts.Node): boolean {
  const [first, second] = [a, b].map((node) =>
    checker.getBaseTypeOfLiteralType(checker.getTypeAtLocation(node))
  );
  return checker.isTypeAssignableTo(first!, second!) && checker.isTypeAssignableTo(second!, first!);
}

function* shiftBounds(site: Site): Generator<Edit> {
  const { node } = site;
  if (!ts.isCallExpression(node) || !ts.isPropertyAccessExpression(node.expression)) return;
  if (!["subarray", "slice", "fill", "at"].includes(node.expression.name.text)) return;
  for (const argument of node.arguments) {
    if (ts.isNumericLiteral(argument) || !isNumber(site, argument)) continue;
    yield replace(argument, `(${argument.getText()}) + 1`);
    yield replace(argument, `(${argument.getText()}) - 1`);
  }
}

function* breakChain({ node }: Site): Generator<Edit> {
  if (node.kind === ts.SyntaxKind.QuestionDotToken && ts.isPropertyAccessExpression(node.parent)) {
    yield replace(node, "!.");
  }
}

/** Another entry of the table that a name is taken from, the next one of the same kind. */
function* takeOtherName({ node, checker }: Site): Generator<Edit> {
  if (!ts.isPropertyAccessExpression(node) || !ts.isIdentifier(node.expression)) return;
  const table = checker.getSymbolAtLocation(node.expression);
  const origin = table !== undefined && (table.flags & ts.SymbolFlags.Alias) !== 0
    ? checker.getAliasedSymbol(table)
    : table;
  const declaration = origin?.valueDeclaration;
  if (declaration === undefined || !ts.isVariableDeclaration(declaration)) return;
  if (declaration.initializer?.getText().endsWith("as const") !== true) return;
  const names = checker.getTypeAtLocation(node.expression).getProperties().map(({ name }) => name);
  const at = names.indexOf(node.name.text);
  const other = names[(at + 1) % names.length];
  if (at >= 0 && other !== undefined && other !== node.name.text) yield replace(node.name, other);
}

/** Another member of the union that a word is taken from. */
function* takeOtherWord({ node, checker }: Site): Generator<Edit> {
  if (!ts.isStringLiteral(node) || !ts.isExpression(node)) return;
  const isCase = ts.isCaseClause(node.parent) || ts.isBinaryExpression(node.parent);
  const wanted = checker.getContextualType(node) ??
    (isCase ? checker.getTypeAtLocation(comparedWith(node)) : undefined);
  if (wanted === undefined || !wanted.isUnion()) return;
  const words = wanted.types.filter((type) => type.isStringLiteral()).map((type) => type.value);
  const at = words.indexOf(node.text);
  const other = words[(at + 1) % words.length];
  if (at >= 0 && other !== undefined && other !== node.text) yield replace(node, JSON.stringify(other));
}

function comparedWith(node: ts.Node): ts.Node {
  const { parent } = node;
  if (ts.isBinaryExpression(parent)) return parent.left === node ? parent.right : parent.left;
  return ts.isCaseClause(parent) ? parent.parent.parent.expression : node;
}

function* takeOtherMethod({ node }: Site): Generator<Edit> {
  if (!ts.isCallExpression(node) || !ts.isPropertyAccessExpression(node.expression)) return;
  const { name } = node.expression;
  const other = Object.hasOwn(METHODS, name.text) ? METHODS[name.text] : undefined;
  if (other !== undefined) yield replace(name, other);
}
