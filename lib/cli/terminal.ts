/** How wide and high a terminal is, in characters. */
export interface TerminalSize {
  readonly columns: number;
  readonly rows: number;
}

/** The terminal at which a person looks. */
export interface Terminal {
  /** Of this moment. */
  readonly size: () => TerminalSize;
  readonly hasColours: boolean;
}

/** The terminal that standard output is; undefined when it is none. */
export function findTerminal(): Terminal | undefined {
  if (!Deno.stdout.isTerminal()) return undefined;
  return { size: () => Deno.consoleSize(), hasColours: !Deno.noColor };
}

/** How parts of a text are set off for a person. */
export interface Style {
  readonly heading: (text: string) => string;
  readonly aside: (text: string) => string;
  readonly warning: (text: string) => string;
}

/** Leaves every text as it is. */
export const PLAIN_STYLE: Style = { heading: asItIs, aside: asItIs, warning: asItIs };

/** Sets texts off by the colours of a terminal. */
export const COLOURED_STYLE: Style = {
  heading: (text) => `\x1b[1m${text}\x1b[22m`,
  aside: (text) => `\x1b[2m${text}\x1b[22m`,
  warning: (text) => `\x1b[33m${text}\x1b[39m`,
};

function asItIs(text: string): string {
  return text;
}
