/** The size of a terminal in characters. */
export interface TerminalSize {
  readonly columns: number;
  readonly rows: number;
}

/** A terminal. */
export interface Terminal {
  /** Returns the current size. */
  readonly size: () => TerminalSize;
  readonly hasColours: boolean;
}

/** Returns the terminal of standard output; undefined when that is not one. */
export function findTerminal(): Terminal | undefined {
  if (!Deno.stdout.isTerminal()) return undefined;
  return { size: () => Deno.consoleSize(), hasColours: !Deno.noColor };
}

/** The highlighting of parts of a text. */
export interface Style {
  readonly heading: (text: string) => string;
  readonly aside: (text: string) => string;
  readonly warning: (text: string) => string;
}

/** A style without highlighting. */
export const PLAIN_STYLE: Style = { heading: asItIs, aside: asItIs, warning: asItIs };

/** A style in the colours of a terminal. */
export const COLOURED_STYLE: Style = {
  heading: (text) => `\x1b[1m${text}\x1b[22m`,
  aside: (text) => `\x1b[2m${text}\x1b[22m`,
  warning: (text) => `\x1b[33m${text}\x1b[39m`,
};

function asItIs(text: string): string {
  return text;
}
