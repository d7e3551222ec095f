/** A virtual machine in software emulation, whose firmware and serial ports are all that there is of it. */
import { runTool } from "../support/tools.ts";

/** Longest that a machine may run; one that boots needs 6 s on a core of its own. */
const TIME_LIMIT_MS = 90_000;

/** Parts that every machine has. isa-debug-exit lets the program of the boot sector end it. */
const MACHINE = [
  ...["-machine", "pc,accel=tcg", "-m", "64", "-nodefaults", "-no-reboot", "-nographic"],
  ...["-monitor", "none", "-device", "isa-debug-exit,iobase=0x501,iosize=2"],
];

/** The output of a machine. */
export interface MachineOutput {
  /** The console of its firmware, on the first serial port, and messages of QEMU. */
  readonly console: string;
  /** The output of the program that it booted, on the second serial port. */
  readonly program: string;
}

/** Runs a machine until it ends itself. The folder gets a file with the output of its program. */
export async function runMachine(folder: string, args: readonly string[]): Promise<MachineOutput> {
  const path = `${folder}/program-output`;
  await Deno.writeTextFile(path, "");
  const ports = ["-serial", "stdio", "-serial", `file:${path}`];
  const { stdout, stderr } = await runTool("qemu-system-x86_64", [...MACHINE, ...ports, ...args], {
    timeLimitMs: TIME_LIMIT_MS,
  });
  return {
    // The codes for a terminal stand between and within words.
    // deno-lint-ignore no-control-regex
    console: stdout.replaceAll(/\x1b\[[0-9;?]*[A-Za-z]/g, "") + stderr,
    program: await Deno.readTextFile(path),
  };
}
