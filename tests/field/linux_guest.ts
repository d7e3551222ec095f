/**
 * A Linux that QEMU runs in software emulation, with open-iscsi, multipath-tools and sg3_utils; LVM, NFS and DRBD.
 *
 * Its 127.0.0.0/8 is that of this machine, and it reaches nothing else. Shell scripts go to it through a virtio-serial
 * port, one at a time; `guest/lib.sh` has the functions that they use.
 */
import { fromFileUrl } from "@std/path";
import { withTimeLimit } from "../support/initiator_connection.ts";
import { linuxImage } from "./linux_image.ts";
import { CannotRun } from "./scenario.ts";

const BOOT_LIMIT_MS = 180_000;
/** Longest that a script may take, and what it waits for in turn. */
const SCRIPT_LIMIT_SECONDS = 240;
/** Longest that a guest may take to report that a script took too long. */
const ANSWER_LIMIT_MS = 30_000;

/** Files of the guest, with their places there. */
const FILES = {
  "guest/lib.sh": "/lib/field.sh",
  "guest/multipath.conf": "/etc/multipath.conf",
  "guest/rescan.rules": "/etc/udev/rules.d/90-rescan.rules",
} as const;

const QEMU = [
  ...["-accel", "tcg", "-machine", "pc", "-cpu", "max", "-m", "1024"],
  ...["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"],
  ...["-netdev", "user,id=net", "-device", "virtio-net-pci,netdev=net,romfile="],
  ...["-chardev", "stdio,id=port,signal=off", "-device", "virtio-serial-pci"],
  ...["-device", "virtserialport,chardev=port"],
];
const KERNEL_PARAMETERS =
  "console=ttyS0 quiet panic=-1 net.ifnames=0 mitigations=off ipv6.disable=1 random.trust_cpu=on";

/** The end of a script. */
export interface ScriptResult {
  readonly code: number;
  /** The text of stdout and stderr. */
  readonly output: string;
}

/** A running guest. */
export class LinuxGuest {
  readonly #child: Deno.ChildProcess;
  readonly #console: string;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #reader: ReadableStreamDefaultReader<string>;
  #received = "";
  #isOver = false;

  private constructor(child: Deno.ChildProcess, console: string) {
    this.#child = child;
    this.#console = console;
    this.#writer = child.stdin.getWriter();
    this.#reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  }

  /**
   * Boots a guest and waits until it takes scripts.
   *
   * @param hardware arguments of QEMU for what this guest has besides
   * @throws {CannotRun} when it does not, with the output of its kernel
   */
  static async boot(hardware: readonly string[] = []): Promise<LinuxGuest> {
    const { kernel, initramfs } = await linuxImage();
    const console = Deno.makeTempFileSync({ prefix: "iscsi-guest-" });
    const child = new Deno.Command("qemu-system-x86_64", {
      args: [
        ...QEMU,
        ...hardware,
        ...["-kernel", kernel, "-initrd", initramfs, "-append", KERNEL_PARAMETERS],
        ...["-serial", `file:${console}`],
      ],
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    const guest = new LinuxGuest(child, console);
    try {
      const first = await withTimeLimit(guest.#readLine(), BOOT_LIMIT_MS, "see the guest ready");
      if (first !== "ready") throw new Error(`the guest began with "${first}"`);
      for (const [source, place] of Object.entries(FILES)) {
        const text = Deno.readTextFileSync(fromFileUrl(new URL(source, import.meta.url)));
        await guest.run(`cat >${place} <<'END-OF-FILE'\n${text}END-OF-FILE`);
      }
      return guest;
    } catch (error) {
      const output = Deno.readTextFileSync(console);
      await guest[Symbol.asyncDispose]();
      throw new CannotRun(`the guest does not boot: ${error}\n${output}`);
    }
  }

  /** Runs a shell script to its end. */
  async attempt(script: string): Promise<ScriptResult> {
    const encoded = new TextEncoder().encode(`${script}\n`).toBase64();
    await this.#writer.write(new TextEncoder().encode(`${SCRIPT_LIMIT_SECONDS} ${encoded}\n`));
    const limitMs = SCRIPT_LIMIT_SECONDS * 1000 + ANSWER_LIMIT_MS;
    const line = await withTimeLimit(this.#readLine(), limitMs, `see the end of ${script}`);
    const [code = "", output = ""] = line.split(" ");
    return { code: Number(code), output: new TextDecoder().decode(Uint8Array.fromBase64(output)) };
  }

  /**
   * Runs a shell script that must succeed, and returns its output.
   *
   * @throws {Error} when it fails, with its output
   */
  async run(script: string): Promise<string> {
    const { code, output } = await this.attempt(script);
    if (code !== 0) throw new Error(`In the guest: ${script}: exit code ${code}\n${output}`);
    return output.trim();
  }

  /** Ends the guest like a power failure, unless it has ended so. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isOver) return;
    this.#isOver = true;
    try {
      this.#child.kill("SIGKILL");
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // It has ended by itself.
    }
    await this.#child.status;
    await this.#writer.abort().catch(() => {});
    await this.#reader.cancel().catch(() => {});
    Deno.removeSync(this.#console);
  }

  async #readLine(): Promise<string> {
    for (;;) {
      const end = this.#received.indexOf("\n");
      if (end >= 0) {
        const line = this.#received.slice(0, end);
        this.#received = this.#received.slice(end + 1);
        return line;
      }
      const { value, done } = await this.#reader.read();
      if (done) throw new Error("the guest ended");
      this.#received += value;
    }
  }
}
