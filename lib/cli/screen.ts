import type { TextWriter } from "./context.ts";
import type { Terminal, TerminalSize } from "./terminal.ts";

/** The alternate screen without the cursor, and lines that are cut where they do not fit; and the opposite. */
const ENTER = "\x1b[?1049h\x1b[?25l\x1b[?7l";
const LEAVE = "\x1b[?7h\x1b[?25h\x1b[?1049l";
const HOME = "\x1b[H";
const CLEAR_LINE = "\x1b[K";
const CLEAR_BELOW = "\x1b[J";

/**
 * The whole terminal, drawn again and again in place, on its alternate screen: what was there before is there again
 * afterwards.
 */
export class Screen {
  readonly #writer: TextWriter;
  readonly #terminal: Terminal;
  readonly #onResize = (): void => this.#draw();
  #render: (size: TerminalSize) => readonly string[] = () => [];

  constructor(writer: TextWriter, terminal: Terminal) {
    this.#writer = writer;
    this.#terminal = terminal;
    writer.write(ENTER);
    Deno.addSignalListener("SIGWINCH", this.#onResize);
  }

  [Symbol.dispose](): void {
    Deno.removeSignalListener("SIGWINCH", this.#onResize);
    this.#writer.write(LEAVE);
  }

  /** Shows lines, now and whenever the terminal has got another size. */
  show(render: (size: TerminalSize) => readonly string[]): void {
    this.#render = render;
    this.#draw();
  }

  #draw(): void {
    const size = this.#terminal.size();
    const { rows } = size;
    const lines = this.#render(size);
    const hidden = lines.length - rows;
    const shown = hidden > 0 ? [...lines.slice(0, rows - 1), `... ${hidden + 1} more lines`] : lines;
    // Cleared before it is written: behind a line of full width the cursor still stands on its last character, as lines
    // do not wrap, and clearing would take that away.
    const text = shown.map((line) => `${CLEAR_LINE}${line}`).join("\r\n");
    this.#writer.write(`${HOME}${text}${shown.length < rows ? `\r\n${CLEAR_BELOW}` : ""}`);
  }
}
