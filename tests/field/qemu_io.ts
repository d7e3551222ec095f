/** A session of qemu-io that stays open between commands. */
import { withTimeLimit } from "../support/initiator_connection.ts";

const PROMPT = "qemu-io> ";
const TIME_LIMIT_MS = 30_000;
const END_LIMIT_MS = 10_000;

/** A running qemu-io, which reads commands from a pipe. */
export class QemuIo implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #stdin: WritableStreamDefaultWriter<Uint8Array>;
  readonly #stdout: ReadableStreamDefaultReader<Uint8Array>;
  readonly #stderr: Promise<string>;
  readonly #decoder = new TextDecoder();

  private constructor(args: readonly string[]) {
    this.#child = new Deno.Command("qemu-io", {
      args: [...args],
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#stdin = this.#child.stdin.getWriter();
    this.#stdout = this.#child.stdout.getReader();
    this.#stderr = new Response(this.#child.stderr).text();
  }

  /**
   * Opens a disk.
   *
   * @throws when qemu-io cannot, with what it printed
   */
  static async open(args: readonly string[]): Promise<QemuIo> {
    const session = new QemuIo(args);
    await session.#readToPrompt();
    return session;
  }

  /**
   * Runs a command and returns what it printed.
   *
   * @throws when the command fails or does not end in time
   */
  async run(command: string): Promise<string> {
    await this.#stdin.write(new TextEncoder().encode(`${command}\n`));
    const output = await this.#readToPrompt();
    if (/verification failed|failed:|error/i.test(output)) throw new Error(`qemu-io: ${command}: ${output}`);
    return output;
  }

  async #readToPrompt(): Promise<string> {
    let text = "";
    while (!text.endsWith(PROMPT)) {
      const { value } = await withTimeLimit(this.#stdout.read(), TIME_LIMIT_MS, "get an answer of qemu-io");
      if (value === undefined) throw new Error(`qemu-io ended: ${text}${await this.#stderr}`);
      text += this.#decoder.decode(value, { stream: true });
    }
    return text.slice(0, -PROMPT.length);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // It ends at the end of its commands, unless one is stuck.
    await this.#stdin.close().catch(() => {});
    const isEnded = withTimeLimit(this.#child.status, END_LIMIT_MS, "see qemu-io end");
    await isEnded.catch(() => this.#child.kill("SIGKILL"));
    await this.#stdout.cancel().catch(() => {});
    await Promise.all([this.#child.status, this.#stderr]);
  }
}
