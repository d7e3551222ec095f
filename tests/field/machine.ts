/** A virtual machine in software emulation, whose firmware and serial port are all that there is of it. */
import { runTool } from "../support/tools.ts";

/** Longest that a machine may run; one that boots needs 6 s on a core of its own. */
const TIME_LIMIT_MS = 90_000;

/** Parts that every machine has. isa-debug-exit lets the program of the boot sector end it. */
const MACHINE = [
  ...["-machine", "pc,accel=tcg", "-m", "64", "-nodefaults", "-no-reboot", "-nographic"],
  ...["-serial", "stdio", "-monitor", "none", "-device", "isa-debug-exit,iobase=0x501,iosize=2"],
];

/** Runs a machine until it ends itself, and returns what it and its firmware wrote to the serial port. */
export async function runMachine(args: readonly string[]): Promise<string> {
  const { stdout, stderr } = await runTool("qemu-system-x86_64", [...MACHINE, ...args], {
    timeLimitMs: TIME_LIMIT_MS,
  });
  // The codes for a terminal stand between and within words.
  // deno-lint-ignore no-control-regex
  return stdout.replaceAll(/\x1b\[[0-9;?]*[A-Za-z]/g, "") + stderr;
}
