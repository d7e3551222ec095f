/**
 * Debian's tgt, a target that no one here wrote, on loopback: what we ask of our own target and of our own initiator
 * is tried on it too.
 */
import { freePort } from "../support/server_process.ts";
import { runToolOk, type Tool } from "../support/tools.ts";

/** The tools of a test with tgt. */
export const TGT_TOOLS: readonly Tool[] = ["tgtd", "tgtadm"];

const START_LIMIT_MS = 5000;
const START_POLL_MS = 50;

/** A running tgtd with one target, which takes unsolicited data, and one LUN, number 1, on an empty file. */
export class Tgt {
  readonly port: number;
  readonly targetName = "iqn.2002-08.info.netmanager:tgt";
  readonly #folder: string;
  readonly #daemon: Deno.ChildProcess;

  private constructor(port: number, folder: string, daemon: Deno.ChildProcess) {
    this.port = port;
    this.#folder = folder;
    this.#daemon = daemon;
  }

  static async start(sizeBytes: number): Promise<Tgt> {
    const port = freePort();
    const folder = Deno.makeTempDirSync({ prefix: "tgt-" });
    const daemon = new Deno.Command("tgtd", {
      args: ["--foreground", "-C", "1", "--iscsi", `portal=127.0.0.1:${port}`],
      env: { TGT_IPC_SOCKET: `${folder}/control` },
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    const tgt = new Tgt(port, folder, daemon);
    try {
      Deno.writeFileSync(`${folder}/disk`, new Uint8Array(0));
      Deno.truncateSync(`${folder}/disk`, sizeBytes);
      await tgt.#waitUntilUp();
      await tgt.#administer("--op", "new", "--mode", "target", "--tid", "1", "-T", tgt.targetName);
      await tgt.#administer(
        "--op",
        "new",
        "--mode",
        "logicalunit",
        "--tid",
        "1",
        "--lun",
        "1",
        "-b",
        `${folder}/disk`,
      );
      for (
        const [name, value] of [["InitialR2T", "No"], ["HeaderDigest", "CRC32C"], ["DataDigest", "CRC32C"]]
      ) {
        await tgt.#administer("--op", "update", "--mode", "target", "--tid", "1", "-n", name!, "-v", value!);
      }
      await tgt.#administer("--op", "bind", "--mode", "target", "--tid", "1", "-I", "ALL");
      return tgt;
    } catch (error) {
      await tgt[Symbol.asyncDispose]();
      throw error;
    }
  }

  lunUrl(): string {
    return `iscsi://127.0.0.1:${this.port}/${this.targetName}/1`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#daemon.kill("SIGKILL");
    await this.#daemon.status;
    Deno.removeSync(this.#folder, { recursive: true });
  }

  async #waitUntilUp(): Promise<void> {
    const deadline = performance.now() + START_LIMIT_MS;
    while (true) {
      try {
        await this.#administer("--op", "show", "--mode", "target");
        return;
      } catch (error) {
        if (performance.now() > deadline) throw error;
        await new Promise((resolve) => setTimeout(resolve, START_POLL_MS));
      }
    }
  }

  async #administer(...args: readonly string[]): Promise<void> {
    const env = { TGT_IPC_SOCKET: `${this.#folder}/control` };
    await runToolOk("tgtadm", ["-C", "1", "--lld", "iscsi", ...args], { env });
  }
}
