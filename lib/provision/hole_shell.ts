import type { ByteRange } from "../store/byte_range.ts";
import { CONFLICT_CODE, type HelperGuard } from "./helper_guard.ts";
import { describeMissing } from "./run_helper.ts";

/** The options of `fallocate` that make a hole, without the range. */
export const PUNCH_OPTIONS = ["--punch-hole", "--keep-size"] as const;

/**
 * The program that the shell runs. Two lines are a request: the number of the request, offset and length of the hole;
 * and the path of the file, any bytes but a line feed. One line is the answer: the number of the request, the exit
 * status, and the first line of the message.
 *
 * A program has the shell's standard error open as its standard input, which it does not read. So that pipe ends when
 * the shell and its program have ended, even if the shell was killed first. The script opens no descriptor of its own,
 * because any number may be the lock's. An orderly end of the server, by Ctrl-C or systemd, waits for holes; it does
 * not fail them.
 */
const SCRIPT = `
trap "" HUP INT TERM
end='
'
while IFS=" " read -r number offset length && IFS= read -r file; do
  message=$(exec "$@" --offset "$offset" --length "$length" "$file" <&2 2>&1 >/dev/null)
  printf "%s %s %s\\n" "$number" "$?" "\${message%%"$end"*}" || exit
done
`;

/** Exit statuses of a shell for a program that it does not find, and from which on a signal ended the program. */
const NOT_FOUND_STATUS = 127;
const SIGNAL_STATUS_MIN = 128;

/** Longest answer, and most that is kept of standard error. */
const ANSWER_BYTES_MAX = 16 * 1024;
const SAID_LENGTH_MAX = 1024;

type Process = ReturnType<HelperGuard["startShell"]>;

const ENDED_FROM_OUTSIDE = '"fallocate" was ended from outside';

/**
 * A shell that makes holes, one after the other, under the lock of a run of the server. To start a program from Deno
 * takes milliseconds, and memory that is given back late; from a shell it takes half a millisecond.
 */
export class HoleShell {
  readonly #process: Process;
  readonly #requests: WritableStreamDefaultWriter<Uint8Array>;
  readonly #answers: ReadableStreamDefaultReader<Uint8Array>;
  /** Resolves when the shell and its program have ended, with the reason. */
  readonly #over: Promise<string>;
  #isOver = false;
  #lastNumber = 0;

  /** @throws {ProvisionError} when it cannot be started */
  constructor(guard: Pick<HelperGuard, "startShell">) {
    this.#process = guard.startShell(SCRIPT, ["fallocate", ...PUNCH_OPTIONS]);
    this.#requests = this.#process.stdin.getWriter();
    this.#answers = this.#process.stdout.getReader();
    this.#over = this.#untilOver();
  }

  /** The shell has ended: it makes no hole. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /**
   * Makes one hole, or returns why not; nothing of it is under way then. The hole before must have been made. `path`
   * is absolute.
   */
  async punch(path: string, { offset, lengthBytes }: ByteRange): Promise<string | undefined> {
    if (path.includes("\n")) return `its path has a line feed: ${JSON.stringify(path)}`;
    const number = ++this.#lastNumber;
    const request = new TextEncoder().encode(`${number} ${offset} ${lengthBytes}\n${path}\n`);
    // A shell that has ended reads nothing; the missing answer says so.
    await this.#requests.write(request).catch(() => {});
    const line = await this.#readLine();
    if (line === undefined) return await this.#over;
    const [, answered, status, message] = /^(\d+) (\d+) ([^\n]*)\n$/.exec(line) ?? [];
    if (Number(answered) === number) return faultOf(Number(status), message!);
    // Closing its input might not end it.
    kill(this.#process);
    await this.#over;
    return `unknown answer of "sh": ${JSON.stringify(line)}`;
  }

  /** Ends the shell, and resolves when it and its program have ended. */
  async end(): Promise<void> {
    await this.#requests.close().catch(() => {});
    await this.#over;
  }

  /** Reads an answer, or whatever there is in its place; undefined when the shell has ended. */
  async #readLine(): Promise<string | undefined> {
    const decoder = new TextDecoder();
    let line = "";
    while (!line.endsWith("\n") && line.length < ANSWER_BYTES_MAX) {
      const { done, value } = await this.#answers.read();
      if (done) return undefined;
      line += decoder.decode(value, { stream: true });
    }
    return line;
  }

  async #untilOver(): Promise<string> {
    let said = "";
    for await (const text of this.#process.stderr.pipeThrough(new TextDecoderStream())) {
      said = (said + text).slice(0, SAID_LENGTH_MAX);
    }
    const { code, signal } = await this.#process.status;
    this.#isOver = true;
    await this.#requests.close().catch(() => {});
    await this.#answers.cancel();
    if (code === CONFLICT_CODE) {
      return "another server waits for the programs of this one, or has taken its place";
    }
    return signal !== null || said === "" ? ENDED_FROM_OUTSIDE : said.trimEnd();
  }
}

function kill(process: Process): void {
  try {
    process.kill("SIGKILL");
  } catch {
    // It has ended.
  }
}

/** The fault of a program that has ended. */
function faultOf(status: number, message: string): string | undefined {
  if (status === 0) return undefined;
  if (status === NOT_FOUND_STATUS) return describeMissing("fallocate");
  if (status >= SIGNAL_STATUS_MIN) return ENDED_FROM_OUTSIDE;
  return message === "" ? `"fallocate" ended with exit status ${status}` : message;
}
