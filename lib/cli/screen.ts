import type { TextWriter } from "./context.ts";
import type { Terminal, TerminalSize } from "./terminal.ts";

/** Enters the alternate screen, hides the cursor and turns line wrapping off; and the opposite. */
const ENTER = "\x1b[?1049h\x1b[?25l\x1b[?7l";
const LEAVE = "\x1b[?7h\x1b[?25h\x1b[?1049l";
const HOME = "\x1b[H";
const CLEAR_LINE = "\x1b[K";
const CLEAR_BELOW = "\x1b[J";

/** The alternate screen of a terminal, redrawn in place; the previous content returns at the end. */
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

  /** Shows lines, now and after each change of the terminal's size. */
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
    // A line is cleared before it is written: after a line of full width the cursor stays on its last character, since
    // lines do not wrap, and clearing would erase that.
    const text = shown.map((line) => `${CLEAR_LINE}${line}`).join("\r\n");
    this.#writer.write(`${HOME}${text}${shown.length < rows ? `\r\n${CLEAR_BELOW}` : ""}`);
  }
}
