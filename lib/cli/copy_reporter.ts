import { formatSize } from "../config/size.ts";
import type { Context } from "./context.ts";
import type { CopyResult } from "./copy_work.ts";
import { ProgressLine } from "./progress_line.ts";
import { formatDuration, formatMegabytes, printable } from "./show_text.ts";

/** Milliseconds between two reports of the progress. */
const INTERVAL_MS = 1000;

/** The options of a reporter. */
export interface CopyReporterOptions {
  /** The size of the source; null when it is unknown until its end. */
  readonly sizeBytes: number | null;
  readonly context: Context;
}

/** Reports a copy: on the terminal while it runs, or as lines of JSON. */
export class CopyReporter {
  readonly #options: CopyReporterOptions;
  readonly #line: ProgressLine;
  readonly #startedMs = performance.now();
  #reportedMs = performance.now();

  constructor(options: CopyReporterOptions) {
    this.#options = options;
    this.#line = new ProgressLine(
      options.context.json === undefined ? options.context : { ...options.context, showsProgress: false },
    );
  }

  /** Reports the progress, once a second. */
  progress(copiedBytes: number): void {
    if (performance.now() - this.#reportedMs < INTERVAL_MS) return;
    this.#reportedMs = performance.now();
    const { sizeBytes, context: { json } } = this.#options;
    const seconds = this.#seconds;
    const bytesPerSecond = copiedBytes / seconds;
    if (json !== undefined) return json.writeLine({ kind: "progress", copiedBytes, sizeBytes, seconds });
    const rate = `${formatMegabytes(bytesPerSecond)} MB/s`;
    if (sizeBytes === null) return this.#line.show(`${formatSize(copiedBytes)}, ${rate}`);
    const left = formatDuration(Math.ceil((sizeBytes - copiedBytes) / bytesPerSecond));
    const percent = Math.floor(copiedBytes / sizeBytes * 100);
    this.#line.show(`${percent}% of ${formatSize(sizeBytes)}, ${rate}, ${left} left`);
  }

  /** Reports a complete copy. */
  done({ kind, sizeBytes, allocatedBytes, problem }: CopyResult, label: string, isStream: boolean): void {
    const { context: { stdout, stderr, json } } = this.#options;
    const seconds = this.#seconds;
    this.#line.clear();
    if (problem !== undefined) {
      stderr.write(
        `iscsi: The copy is complete, but "${printable(label)}" is not served yet: ${printable(problem)}\n`,
      );
    }
    if (json !== undefined) {
      return json.writeLine({ kind: "done", method: kind, sizeBytes, allocatedBytes, seconds });
    }
    const space = kind === "shared"
      ? ", shares the blocks of the disk"
      : allocatedBytes === null
      ? ""
      : `, takes ${formatSize(allocatedBytes)}`;
    const text = `Copied ${formatSize(sizeBytes)} in ${seconds.toFixed(1)} s${space}`;
    if (isStream) stderr.write(`${text}\n`);
    else stdout.write(`${printable(label)}: ${text}\n`);
  }

  /** Reports a copy that has failed. */
  failed(message: string): void {
    this.#line.clear();
    this.#options.context.stderr.write(`iscsi: ${printable(message)}\n`);
  }

  [Symbol.dispose](): void {
    this.#line[Symbol.dispose]();
  }

  get #seconds(): number {
    return (performance.now() - this.#startedMs) / 1000;
  }
}
